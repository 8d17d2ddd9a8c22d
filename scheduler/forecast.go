package scheduler

import (
	"math"
	"time"

	"chimera/engine"
)

// This file owns the prediction of when a request would have its first token, and what is refused by it.

// forecast is what the loop tells of itself once a step, as far as predictions need it.
type forecast struct {
	step    time.Duration // what is under way takes so long
	row     time.Duration // a row of a prompt, in full steps with those who decode now
	full    int           // rows of a step
	longRow time.Duration // the same of a prompt of several steps
	place   time.Duration // from one sequence's end to the next
	free    int           // places
	rows    [classes]int  // of prompts, that the running still want
	cached  int           // tokens of a prompt that are in pages, at most
	learned time.Time     // when a step last told what steps take
	serves  bool          // somebody whose steps tell has a place
}

// staleAfter is how long a prediction holds where no step confirms it. A machine that was slow for a while, as one is beside a load,
// would otherwise be believed so for ever: who asks with a deadline is refused, and what is refused teaches nothing.
const staleAfter = 10 * time.Second

// isStale tells whether what steps take is no longer known, and the next one is to show it.
func (f *forecast) isStale(now time.Time) bool { return !f.serves && now.Sub(f.learned) >= staleAfter }

// line is those that wait, of a class or of a tenant.
type line struct{ requests, rows int }

func (l *line) change(by, rows int) {
	l.requests += by
	l.rows += by * rows
}

// waitingLine is who waits, behind Lane.mu.
type waitingLine struct {
	line
	classes [classes]line
	tenants map[string]line
}

func (q *waitingLine) change(seq *Sequence, by int) {
	q.line.change(by, seq.queuedRows)
	q.classes[seq.request.Class].change(by, seq.queuedRows)
	one := q.tenants[seq.request.Tenant]
	if one.change(by, seq.queuedRows); one.requests == 0 {
		delete(q.tenants, seq.request.Tenant)
	} else {
		q.tenants[seq.request.Tenant] = one
	}
}

// upTo is what is in the queue of the classes up to one.
func (q *waitingLine) upTo(c Class) (l line) {
	for class := Interactive; class <= c; class++ {
		l.requests += q.classes[class].requests
		l.rows += q.classes[class].rows
	}
	return l
}

// ahead is what is in the queue that goes before a request of the class and tenant: of the classes up to its own, but no more than what the
// tenants that wait have together while its own has had what it asked.
func (q *waitingLine) ahead(c Class, tenant string) (l line) {
	l = q.upTo(c)
	own, there := q.tenants[tenant]
	n := len(q.tenants)
	if !there {
		n++
	}
	l.requests = min(l.requests, (own.requests+1)*n-1)
	if own.rows < l.rows && n > 1 {
		l.rows = min(l.rows, own.rows*n+(n-1)*l.rows/max(1, l.requests))
	}
	return l
}

// ttft is when so many rows of a request's prompt would be computed, with its first token.
func (f *forecast) ttft(q *waitingLine, c Class, tenant string, rows int, long bool) time.Duration {
	ahead := q.ahead(c, tenant)
	for class := Interactive; class <= c; class++ {
		ahead.rows += f.rows[class]
	}
	own := f.row
	if long {
		own = f.longRow
	}
	if total := ahead.rows + rows; total > f.full { // others will fill its step
		ahead.rows += (f.full - total%f.full) % f.full
	}
	computing := time.Duration(ahead.rows) * f.row
	if lacking := ahead.requests + 1 - f.free; lacking > 0 {
		computing = max(computing, time.Duration(lacking)*f.place)
	}
	return f.step + computing + time.Duration(rows)*own
}

// leastRetry is the shortest time that a client is told to wait: what it is told is whole seconds.
const leastRetry = time.Second

// overload refuses with the time after which it could be otherwise.
func overload(after time.Duration, err error) error {
	return &OverloadError{RetryAfter: max(after, leastRetry), Err: err}
}

// taken is why a number of requests can't be queued now, or nil. Lower classes fill the queue for one another alone: what gives way to a
// request is no reason to refuse it. s.mu is held.
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
	if q.requests+requests <= 2*most && (before+requests <= most || othersDid) {
		return nil
	}
	return overload(time.Duration(max(before, q.requests-most)+requests-most)*s.forecast.place, ErrQueueFull)
}

// promise is why a request of so many rows would have its first token too late, or nil. s.mu is held.
func (s *Lane) promise(c Class, tenant string, deadline time.Time, rows int) error {
	if deadline.IsZero() || !s.policy.with(withForecast) {
		return nil
	}
	now := s.loop.config.Now()
	left := deadline.Sub(now)
	if left > 0 && s.queue.requests == s.queue.classes[Background].requests && s.forecast.isStale(now) {
		return nil
	}
	late := s.forecast.ttft(&s.queue, c, tenant, rows, rows > s.config.StepTokens) - left
	if late <= 0 && left > 0 {
		return nil
	}
	return overload(late, ErrDeadline)
}

// expectedRows is how many rows of its prompt a request has to compute, by what the cache holds now.
func (s *Lane) expectedRows(seq *Sequence) int {
	if len(seq.keys) == 0 || seq.request.ScorePrompt {
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
// that is cached is of this prompt, and that its text has as few tokens as texts were seen to have.
func (s *Lane) Precheck(a Ask) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Answers > s.config.QueueLength {
		return nil // it can't ever be taken, and whoever knows its fields has still to say which is wrong
	}
	if err := s.taken(max(1, a.Answers), a.Class, a.Tenant); err != nil {
		return err
	}
	rows := a.PromptTokens + int(float64(a.PromptBytes)*s.density) - s.forecast.cached
	return s.promise(a.Class, a.Tenant, a.Deadline, max(1, rows))
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
	f := &s.foreseen
	base := s.next.base
	s.costs.mu.Lock()
	defer s.costs.mu.Unlock()
	model := s.costs.model
	f.step = model.Predict(s.next.shape)
	f.full = s.config.StepTokens
	full := base
	full.Prefill += max(1, s.config.StepTokens-base.Decode)
	f.row = model.Predict(full) / time.Duration(full.Prefill-base.Prefill)
	f.longRow = f.row
	if s.next.decodes && s.policy.with(withBudget) {
		p := pace{itl: s.itl(), decodes: true, base: base}
		all, long := p.rows(model, &s.policy.rules)
		all, long = min(all, full.Prefill), min(long, full.Prefill)
		part := base
		part.Prefill += long
		f.longRow = model.Predict(part) / time.Duration(long)
		if all < full.Prefill {
			f.row = f.longRow
		}
	}
	f.free = max(0, s.places()-len(s.running))
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
