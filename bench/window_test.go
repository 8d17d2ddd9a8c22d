package bench

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
)

// This file owns tests of the arithmetic: what is counted, Little's law, the generator's own share.

// event is a request of so many seconds.
type event struct{ sent, finished int }

// play runs requests through a window whose clock and use of the processor are the test's.
func play(warmUp, counts, used int, events ...event) *window {
	start := time.Unix(1000, 0)
	at := func(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }
	now := 0
	w := newWindow(warmUp, counts, start, func() time.Duration { return time.Duration(now*used) * time.Millisecond })
	for now = range 100 {
		for _, e := range events {
			if e.finished == now {
				w.finished(at(now), sample{total: time.Duration(e.finished-e.sent) * time.Second, ttft: time.Second, tokens: 10})
			}
		}
		for _, e := range events {
			if e.sent == now {
				w.sent(at(now))
			}
		}
	}
	w.end(at(now))
	return w
}

func TestWindow(t *testing.T) {
	// Two clients, four seconds a request: the first two warm up, the last two keep the load whole.
	full := []event{{0, 4}, {0, 4}, {4, 8}, {4, 8}, {8, 12}, {8, 12}, {12, 16}, {12, 16}}
	idle := []event{{0, 4}, {6, 10}, {12, 16}} // one client that is slow to send: two seconds of six
	for name, c := range map[string]struct {
		warmUp, counts, used int
		events               []event
		seconds, qps         float64
		inFlight, byLatency  float64
		share                float64
	}{
		"whole":            {0, 8, 500, full, 16, .5, 2, 2, .5},
		"within":           {2, 4, 500, full, 8, .5, 2, 2, .5},
		"not all answered": {0, 9, 0, full, 99, 8. / 99, 32. / 99, 32. / 99, 0},
		"a slow generator": {0, 3, 1000, idle, 16, 3. / 16, .75, .75, 1},
		// Requests that cross an end of the window are under way within it, while their whole time counts or none.
		"crossing": {1, 2, 0, []event{{0, 4}, {2, 8}, {4, 10}, {8, 20}}, 6, 2. / 6, 12. / 6, 2, 0},
		"apart":    {1, 1, 0, []event{{0, 4}, {0, 8}, {4, 20}}, 4, .25, 2, 2, 0},
		"unsteady": {1, 1, 0, []event{{0, 4}, {3, 6}, {4, 20}}, 2, .5, 2, 1.5, 0},
	} {
		r := report(Load{}, play(c.warmUp, c.counts, c.used, c.events...))
		same := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-9 {
				t.Errorf("%s: %s is %v, want %v", name, what, got, want)
			}
		}
		same("length", r.Seconds, c.seconds)
		same("rate", r.QPS, c.qps)
		same("under way", r.Little.InFlight, c.inFlight)
		same("rate times latency", r.Little.RateByLatency, c.byLatency)
		same("own share", r.OwnCPUShare*float64(runtime.NumCPU()), c.share)
		if apart := math.Abs(c.inFlight-c.byLatency) / c.inFlight; r.Little.Holds() != (apart <= .02) || strings.Contains(r.String(), "not steady") == r.Little.Holds() {
			t.Errorf("%s: %+v, %s", name, r.Little, r)
		}
	}
}

func TestLittle(t *testing.T) {
	for _, c := range []struct {
		busy, latencies, window float64
		holds                   bool
	}{{80, 80, 10, true}, {80, 81.5, 10, true}, {80, 78.5, 10, true}, {80, 82, 10, false}, {80, 78, 10, false}, {0, 0, 0, true}, {0, 0, 5, true}} {
		l := little(c.busy, c.latencies, c.window)
		if l.Holds() != c.holds || math.IsNaN(l.Apart) || math.IsInf(l.Apart, 0) {
			t.Errorf("%+v: %+v", c, l)
		}
	}
}

// A request that failed takes its time too, but is no part of what the clients were given.
func TestFailuresInTheFigures(t *testing.T) {
	w := newWindow(0, 2, time.Unix(0, 0), func() time.Duration { return 0 })
	w.sent(time.Unix(0, 0))
	w.finished(time.Unix(2, 0), sample{total: 2 * time.Second, err: errors.New("cut off"), tokens: 5})
	w.sent(time.Unix(2, 0))
	w.finished(time.Unix(4, 0), sample{total: 2 * time.Second, ttft: time.Second, tokens: 8, promptTokens: 100})
	r := report(Load{}, w)
	if r.QPS != .25 || r.TokensPerSecond != 2 || r.PromptTokens != 100 || r.Failed != 1 || r.Errors["broken"] != 1 || r.TTFT.Max != 1000 || r.Little.InFlight != 1 || !r.Little.Holds() {
		t.Errorf("%+v", r)
	}
}

// What begins within the objective is good; where there is none nothing is told.
func TestGoodAnswers(t *testing.T) {
	for within, want := range map[time.Duration]int{0: 0, 999 * time.Millisecond: 1, time.Second: 2, time.Minute: 3} {
		w := newWindow(0, 4, time.Unix(0, 0), func() time.Duration { return 0 })
		for i, s := range []sample{{ttft: time.Millisecond}, {ttft: time.Second}, {ttft: 30 * time.Second}, {ttft: time.Millisecond, err: errors.New("cut off")}} {
			w.sent(time.Unix(int64(i), 0))
			w.finished(time.Unix(int64(i+1), 0), s)
		}
		if r := report(Load{Within: within}, w); r.Good != want || r.Completed != 3 || r.Failed != 1 {
			t.Errorf("within %v: %d are good, want %d; %+v", within, r.Good, want, r)
		}
	}
}
