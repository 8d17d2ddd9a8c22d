package scheduler

import (
	"math"
	"slices"
	"time"

	"chimera/engine"
)

// This file owns the prediction of when a request would have its first token, and what is refused by it.

// forecast is what the loop tells of itself once a step, as far as predictions need it.
type forecast struct {
	step     time.Duration         // what is under way takes so long
	longest  time.Duration         // the next step, if prompts have all rows that they may have
	row      time.Duration         // a row of a prompt, in full steps with those who decode now
	full     int                   // rows of a step
	filled   int                   // of which prompts have so many
	longRow  time.Duration         // the same of a prompt of several steps
	place    time.Duration         // from one sequence's end to the next
	free     int                   // places
	rows     [classes][lengths]int // of prompts, that the running still want
	pages    int                   // that newcomers can have, of the group with the whole of a sequence
	returned int                   // that one's end gives back of them, in the mean
	cached   int                   // tokens of a prompt that are in pages, at most
	learned  time.Time             // when a step last told what steps take
	serves   bool                  // somebody whose steps tell has a place
}

// staleAfter is how long a prediction holds where no step confirms it. A machine that was slow for a while, as one is beside a load,
// would otherwise be believed so for ever: who asks with a deadline is refused, and what is refused teaches nothing.
const staleAfter = 10 * time.Second

// isStale tells whether what steps take is no longer known, and the next one is to show it.
func (f *forecast) isStale(now time.Time) bool { return !f.serves && now.Sub(f.learned) >= staleAfter }

// demand is what a request asks of the lane, as far as a prediction needs it.
type demand struct {
	class    Class
	own      bool // see Request.Own
	tenant   string
	deadline time.Time
	rows     int // of its prompt, that the cache does not have
	pages    int // that it wants when it is let in
}

// wait is how long a request waits for the step under way, for what goes before it, and for a place and pages.
func (f *forecast) wait(ahead line, d *demand, length int) time.Duration {
	for class := Interactive; class <= d.class; class++ {
		last := length
		if class < d.class {
			last = lengths - 1
		}
		for _, rows := range f.rows[class][:last+1] {
			ahead.rows += rows
		}
	}
	if total := ahead.rows + d.rows; total > f.filled { // others will fill its step
		ahead.rows += (f.filled - total%f.filled) % f.filled
	}
	return f.step + max(time.Duration(ahead.rows)*f.row, time.Duration(f.lacking(&ahead, d))*f.place)
}

// lacking is how many sequences must end before there are a place and pages for the request behind those ahead of it.
func (f *forecast) lacking(ahead *line, d *demand) int {
	ends := ahead.requests + 1 - f.free
	if pages := ahead.pages + d.pages - f.pages; pages > 0 && f.returned > 0 {
		ends = max(ends, (pages+f.returned-1)/f.returned)
	}
	return max(0, ends)
}

// own is how long the request's own rows take, among those who decode now.
func (f *forecast) own(d *demand) time.Duration {
	if d.rows > f.full {
		return time.Duration(d.rows) * f.longRow
	}
	return time.Duration(d.rows) * f.row
}

// leastRetry is the shortest time that a client is told to wait: what it is told is whole seconds.
const leastRetry = time.Second

// overload refuses with the time after which it could be otherwise.
func overload(after time.Duration, err error) *OverloadError {
	return &OverloadError{RetryAfter: max(after, leastRetry), Err: err}
}

// taken is why a number of requests can't be queued now, or nil. Lower classes fill the queue for one another alone: what gives way to a
// request is no reason to refuse it. So no more of a class and those above wait than twice the queue's length, and of all classes no more than three times that. s.mu is held.
func (s *Lane) taken(requests int, c Class, tenant string) error {
	q := &s.queue
	if s.refusal != nil {
		return s.refusal
	}
	most, before := s.config.QueueLength, q.requests
	if s.policy.with(byClass) {
		before = q.upTo(c).requests
	}
	part := max(1, most/s.policy.rules.QueueShare)
	othersDid := s.policy.with(byTenant) && q.tenants[tenant].requests+requests <= part && len(q.tenants) > 0
	if before+requests <= most || othersDid && before+requests <= 2*most {
		return nil
	}
	return overload(time.Duration(before+requests-most)*s.forecast.place, ErrQueueFull)
}

// promiseAll is why one of a client's requests that come together would have its first token too late, or nil. What a deadline promises is the first token of each,
// so each waits for those before it, too. Without one nobody is refused for what he asks himself: he would be told to come again, and it would be the same. s.mu is held.
func (s *Lane) promiseAll(together []*demand) (err error) {
	now := s.loop.config.Now()
	d := together[0]
	if (d.deadline.IsZero() || d.deadline.After(now)) && s.isTried(now) {
		return nil
	}
	rows, before := 0, 0
	for _, d := range together {
		rows += d.rows
	}
	for _, d := range together {
		if err = s.promise(d, rows, now); err != nil {
			break
		}
		if !d.deadline.IsZero() {
			s.queue.change(d, 1)
			before++
		}
	}
	for _, d := range together[:before] {
		s.queue.change(d, -1)
	}
	return err
}

// isTried tells whether who comes now is taken to find out what steps take. s.mu is held.
func (s *Lane) isTried(now time.Time) bool {
	return s.queue.requests == s.queue.ofClass(Background, lengths-1).requests && s.forecast.isStale(now)
}

// promise is why a request would have its first token too late, or nil: after its deadline, or, where who reads along has none, when he has waited for
// longer than is usual. That is asked only of who finds no place or pages: while there are some a machine that is slow is waited for. rows are those of all
// that its client asks for with it. s.mu is held.
func (s *Lane) promise(d *demand, rows int, now time.Time) error {
	if s.policy.without.has(withForecast) || d.deadline.IsZero() && (s.config.Wait == 0 || d.class != Interactive) {
		return nil
	}
	left := d.deadline.Sub(now)
	wait := s.foreseenWait(d)
	if d.deadline.IsZero() {
		all := s.queue.upTo(d.class)
		if wait <= s.config.Wait || s.forecast.lacking(&all, d) == 0 {
			return nil
		}
		return overload(wait-s.config.Wait, ErrLongWait)
	}
	late := wait + s.forecast.own(d) - left
	if late <= 0 && left > 0 {
		return nil
	}
	refusal := overload(late, ErrDeadline)
	if least := s.leastTTFT(rows); left < least {
		refusal.Least = least
	}
	return refusal
}

// foreseenWait is how long a request that comes now waits until its prompt is begun. s.mu is held.
func (s *Lane) foreseenWait(d *demand) time.Duration {
	length := lengths - 1
	if s.policy.with(byLength) {
		length = lengthOf(d.rows)
	}
	ahead := s.queue.ahead(d.class, length)
	if s.policy.with(byTenant) {
		ahead = s.queue.inTurn(ahead, d.tenant)
	}
	return s.forecast.wait(ahead, d, length)
}

// leastTTFT is what the first tokens of prompts of so many rows together take if nobody else asks anything.
func (s *Lane) leastTTFT(rows int) time.Duration { return s.predict(Shape{Prefill: rows, Outputs: 1}) }

// expectedRows is how many rows of its prompt a request has to compute, by what the cache holds now.
func (s *Lane) expectedRows(seq *Sequence) int {
	if len(seq.keys) == 0 || seq.request.ScorePrompt || seq.request.Pool {
		return len(seq.tokens)
	}
	g := wholeGroup(s.groups)
	cached := s.groups[g].pool.directory.last
	if s.groups[g].pool.chained {
		cached = s.groups[g].pool.directory.run
	}
	return max(1, len(seq.tokens)-engine.PageTokens*cached(seq.keys))
}

// cachedTokens is how much of one prompt the cache could have at most. What a window has of it is enough for any length.
func (s *Lane) cachedTokens() int {
	g := &s.groups[wholeGroup(s.groups)]
	switch n := g.pool.cached + g.pool.used(); {
	case !g.keyed:
		return 0
	case g.pool.chained || n == 0:
		return n * engine.PageTokens
	}
	return s.limits.MaxContext
}

// Precheck refuses at once what SubmitGroup would refuse for sure: it is asked before the work of tokenising. It assumes the best: that all
// that is cached is of each of its prompts, that these are as long as one another, and that a text has as few tokens as texts were seen to have.
func (s *Lane) Precheck(a Ask) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if max(a.Answers, a.Prompts) > s.config.QueueLength {
		return nil // it can't ever be taken, and whoever knows its fields has still to say which is wrong
	}
	if err := s.taken(max(1, a.Answers), a.Class, a.Tenant); err != nil {
		return err
	}
	prompts := max(1, a.Prompts)
	rows := (a.PromptTokens+int(float64(a.PromptBytes)*s.density))/prompts - s.forecast.cached
	one := demand{class: a.Class, tenant: a.Tenant, deadline: a.Deadline, rows: max(1, rows)}
	return s.promiseAll(slices.Repeat([]*demand{&one}, prompts))
}

// Tokens a byte of text, as they were seen: the least counts, and is forgotten slowly, as a model's clients change theirs.
const (
	firstDensity   = 0.1 // long words of a large vocabulary have ten bytes a token
	densityForgets = 0.01
	densityBytes   = 1024 // of shorter texts much is the template's, and says nothing of long ones
)

// learnDensity notes how many tokens a prompt's text had. s.mu is held.
func (s *Lane) learnDensity(r *Request) {
	if r.PromptBytes < densityBytes {
		return
	}
	seen := float64(len(r.Prompt)) / float64(r.PromptBytes)
	s.density = min(seen, s.density+densityForgets*(seen-s.density))
}

// foresee tells what the step being planned, with those who run, lets expect.
func (s *Lane) foresee() {
	f, base := &s.foreseen, s.next.base
	s.costs.mu.Lock()
	model := s.costs.model
	f.step, f.full = model.Predict(s.next.shape), s.config.StepTokens
	most := max(1, f.full-base.Decode)
	all, long := most, most
	if s.next.decodes && s.policy.with(withBudget) {
		p := pace{itl: s.itl(), decodes: true, base: base}
		all, long = p.rows(model, &s.policy.rules)
		all, long = min(all, most), min(long, most)
	}
	f.filled = all
	f.longest, f.row = model.perRow(base, all)
	_, f.longRow = model.perRow(base, long)
	s.costs.mu.Unlock()
}

// perRow is how long a step of the base and so many rows of prompts takes, and its part for each of them.
func (c *Cost) perRow(base Shape, rows int) (step, row time.Duration) {
	base.Prefill += rows
	step = c.Predict(base)
	return step, step / time.Duration(rows)
}

// foreseeRoom tells how many places and pages are free for newcomers, and how many pages one's end gives back: those that it has, and those that were
// kept for it. What is kept is counted while somebody waits. It is told with each end, or who asks again when he has his answer would be refused for his own place.
func (s *Lane) foreseeRoom() {
	f, g := &s.foreseen, wholeGroup(s.groups)
	f.free = max(0, s.places()-len(s.running))
	if f.returned = 0; !s.groups[g].pool.chained { // windows and slots have as many as there are places
		return
	}
	kept := 0
	if len(s.waiting) > 0 {
		kept = s.reserve(g)
	}
	pool := s.groups[g].pool
	f.pages = max(0, pool.available()-kept)
	f.returned = (pool.used() + kept) / max(1, len(s.running))
}

// placeMemory is what the mean time between ends keeps of what it was at each.
const placeMemory = 0.9

// noteEnds follows the time from one sequence's end to the next, while others wait. It is counted from the last newcomer's place, where that
// was given later: before it there were free ones, for hours perhaps, and nobody's end was waited for.
func (s *Lane) noteEnds(n int, now time.Time) {
	if n == 0 {
		return
	}
	if since := now.Sub(s.lastChange); !s.lastChange.IsZero() && len(s.waiting) > 0 && since > 0 {
		each := float64(since) / float64(n)
		if s.foreseen.place == 0 {
			s.foreseen.place = time.Duration(each)
		}
		keep := math.Pow(placeMemory, float64(n))
		s.foreseen.place = time.Duration(keep*float64(s.foreseen.place) + (1-keep)*each)
	}
	s.lastChange = now
}
