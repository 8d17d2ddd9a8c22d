package measure

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"chimera/store"
)

// This file owns the window under way: what is told of answers is summed up until the window is closed, and then is rows.

// Windows gathers the answers of the window under way. Its methods may be called from any goroutine, and none waits for more than another of them.
type Windows struct {
	mu    sync.Mutex
	began time.Time
	rows  map[Key]*row
}

// row is what one key has had in the window.
type row struct {
	ends           [Failed + 1]int64
	prompt, answer int64
	ttft, itl      sketch
	queue          sketch
	completed      map[int64]int64  // by the second since the window began: see peak
	used           map[string]Usage // by tier
}

// NewWindows begins a window.
func NewWindows(now time.Time) *Windows { return &Windows{began: now, rows: map[Key]*row{}} }

// Add takes note of an answer.
func (w *Windows) Add(a Answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rows[a.Key]
	if r == nil {
		r = &row{completed: map[int64]int64{}, used: map[string]Usage{}}
		w.rows[a.Key] = r
	}
	r.ends[a.End]++
	if a.Placed {
		r.queue.add(a.Queue)
	}
	if a.TTFT > 0 {
		r.ttft.add(a.TTFT)
	}
	for _, d := range a.ITL {
		r.itl.add(d)
	}
	r.prompt, r.answer = r.prompt+a.PromptTokens, r.answer+a.AnswerTokens
	u := Usage{0, a.PromptTokens, a.AnswerTokens}
	if a.End == Completed {
		r.completed[int64(a.Ended.Sub(w.began)/time.Second)]++
		u.Requests = 1
	}
	if u != (Usage{}) {
		r.used[a.Tier] = r.used[a.Tier].plus(u)
	}
}

// Usage is what a line's requests had of tokens in a window, and how many completed.
type Usage struct{ Requests, PromptTokens, AnswerTokens int64 }

func (u Usage) plus(other Usage) Usage {
	return Usage{u.Requests + other.Requests, u.PromptTokens + other.PromptTokens, u.AnswerTokens + other.AnswerTokens}
}

// Close ends the window and begins the next. It gives a row for each key that had a request, in the order of keys, and what each line used.
// waiting tells how many requests of a model wait; tenant stands for a tenant's name.
func (w *Windows) Close(now time.Time, o Objectives, load Load, waiting func(model string) int, tenant func(string) store.Tenant) (list []store.Window, used map[Line]Usage) {
	w.mu.Lock()
	rows, began := w.rows, w.began
	w.rows, w.began = map[Key]*row{}, now
	w.mu.Unlock()
	used = map[Line]Usage{}
	length := now.Sub(began)
	if length <= 0 {
		return nil, used
	}
	missed := missedBy(rows, length, o, waiting)
	for _, k := range slices.SortedFunc(maps.Keys(rows), Key.compare) {
		r := rows[k]
		row := r.window(length)
		row.From, row.Until, row.Model, row.Tenant, row.Class, row.Missed = began, now, k.Model, tenant(k.Tenant), k.Class, missed[k.Model]
		load.fill(&row)
		list = append(list, row)
		for tier, u := range r.used {
			used[Line{k, tier}] = u
		}
	}
	return list, used
}

func (k Key) compare(other Key) int {
	return cmp.Or(cmp.Compare(k.Model, other.Model), cmp.Compare(k.Tenant, other.Tenant), cmp.Compare(k.Class, other.Class))
}

func (l Line) compare(other Line) int {
	return cmp.Or(l.Key.compare(other.Key), cmp.Compare(l.Tier, other.Tier))
}

// missedBy is what each model has missed.
func missedBy(rows map[Key]*row, length time.Duration, o Objectives, waiting func(string) int) map[string]string {
	models := map[string]*whole{}
	for k, r := range rows {
		m := models[k.Model]
		if m == nil {
			m = &whole{waiting: waiting(k.Model)}
			models[k.Model] = m
		}
		m.completed += r.ends[Completed]
		m.refused += r.ends[Refused]
		if k.Class == interactive {
			m.ttft.merge(&r.ttft)
		}
	}
	missed := map[string]string{}
	for name, m := range models {
		missed[name] = o.missed(m, length)
	}
	return missed
}

// window is the row's figures.
func (r *row) window(length time.Duration) store.Window {
	return store.Window{
		Requests: r.ends[Completed], Refused: r.ends[Refused], Failed: r.ends[Failed], Cancelled: r.ends[Cancelled],
		TTFT: r.ttft.latency(), ITL: r.itl.latency(), Queue: r.queue.latency(),
		QPSMean: float64(r.ends[Completed]) / length.Seconds(), QPSPeak: peak(r.completed, length), PromptTokens: r.prompt, AnswerTokens: r.answer,
	}
}

// peakSeconds is the stretch that a peak is the mean of: long enough that a burst of a second makes none.
const peakSeconds = 10

// peak is the requests a second of the best ten seconds; NaN if the window is shorter.
func peak(completed map[int64]int64, length time.Duration) float64 {
	if length < peakSeconds*time.Second {
		return math.NaN()
	}
	best := int64(0)
	for end := range completed { // the best stretch ends with a second that has one
		n := int64(0)
		for second := end - peakSeconds + 1; second <= end; second++ {
			n += completed[second]
		}
		best = max(best, n)
	}
	return float64(best) / peakSeconds
}
