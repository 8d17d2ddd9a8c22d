package bench

import (
	"sync"
	"time"
)

// This file owns what is counted: the requests that end while the load is whole, and how many were under way meanwhile.

// sample is one request as its client saw it.
type sample struct {
	ttft, total          time.Duration
	promptTokens, tokens int
	gaps                 []time.Duration // between pieces of text
	err                  error
}

// window begins when the requests of the warm-up have ended and ends with the last one that is counted.
type window struct {
	mu             sync.Mutex
	warmUp, counts int
	cpu            func() time.Duration // that this process has used
	full           func()               // called when all have been counted

	began, ended time.Time
	used         time.Duration // at the beginning; when it has ended, of the window
	done         int           // requests that have ended
	samples      []sample      // those that are counted
	inFlight     int
	busy         time.Duration // requests under way, summed over the time since the beginning
	at           time.Time     // up to which busy is
}

func newWindow(warmUp, counts int, now time.Time, cpu func() time.Duration) *window {
	return &window{warmUp: warmUp, counts: counts, cpu: cpu, began: now, at: now, used: cpu(), full: func() {}}
}

// pass takes the time up to now into account.
func (w *window) pass(now time.Time) {
	if w.ended.IsZero() {
		w.busy += now.Sub(w.at) * time.Duration(w.inFlight)
		w.at = now
	}
}

func (w *window) sent(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass(now)
	w.inFlight++
}

func (w *window) finished(now time.Time, s sample) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass(now)
	w.inFlight--
	w.done++
	if w.done > w.warmUp && len(w.samples) < w.counts {
		w.samples = append(w.samples, s)
	}
	if w.done == w.warmUp {
		w.began, w.busy, w.used = now, 0, w.cpu()
	}
	if len(w.samples) == w.counts {
		w.close(now)
		w.full()
	}
}

func (w *window) close(now time.Time) {
	if w.ended.IsZero() {
		w.ended, w.used = now, w.cpu()-w.used
	}
}

// end closes a window that the load did not fill.
func (w *window) end(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass(now)
	w.close(now)
}

// length is how long requests were counted, in seconds.
func (w *window) length() float64 { return w.ended.Sub(w.began).Seconds() }
