package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chimera/client"
)

// fake is an OpenAI-compatible server with known delays.
type fake struct {
	first, gap       time.Duration
	tokens           int
	fail             func(n int64) bool
	usage            bool
	slow             func(n int64) bool // half a second
	requests         atomic.Int64
	running, most    atomic.Int64
	mu               sync.Mutex
	arrivals         []time.Time
	prompts          map[string]bool
	unreadableBodies int
}

func (f *fake) start(t *testing.T) *client.Client {
	t.Helper()
	f.prompts = map[string]bool{}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return client.New(s.URL)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, now := f.requests.Add(1), f.running.Add(1)
	defer f.running.Add(-1)
	body, err := io.ReadAll(r.Body)
	f.mu.Lock()
	f.arrivals = append(f.arrivals, time.Now())
	f.prompts[string(body)] = true
	f.most.Store(max(f.most.Load(), now))
	if err != nil {
		f.unreadableBodies++
	}
	f.mu.Unlock()
	if f.fail != nil && f.fail(n) {
		http.Error(w, `{"error":{"message":"overloaded","code":"queue_full"}}`, http.StatusTooManyRequests)
		return
	}
	if f.slow != nil && f.slow(n) {
		time.Sleep(time.Second / 2)
	}
	time.Sleep(f.first)
	for i := range f.tokens {
		if i > 0 {
			time.Sleep(f.gap)
		}
		fmt.Fprintf(w, "data: {\"choices\":[{\"text\":\"w%d \"}]}\n\n", i)
		w.(http.Flusher).Flush()
	}
	fmt.Fprint(w, "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"length\"}]}\n\n")
	if f.usage {
		fmt.Fprintf(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":16,\"completion_tokens\":%d}}\n\n", f.tokens)
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

// slack is what a loaded machine may add to a delay.
const slack = 60.0

func near(t *testing.T, what string, got, want, above float64) {
	t.Helper()
	if got < want-1 || got > want+above {
		t.Errorf("%s is %.2f, want %.2f", what, got, want)
	}
}

func TestClosedLoop(t *testing.T) {
	f := &fake{first: 50 * time.Millisecond, gap: 20 * time.Millisecond, tokens: 6, usage: true}
	r, err := Run(context.Background(), f.start(t), Load{Clients: 4, Requests: 12, Prompt: 16, Tokens: 6, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Completed != 12 || r.Failed != 0 || f.most.Load() != 4 || len(f.prompts) != 12 || f.unreadableBodies != 0 {
		t.Errorf("%+v, at most %d at a time, %d different prompts", r, f.most.Load(), len(f.prompts))
	}
	for _, q := range []float64{r.TTFT.P50, r.TTFT.P95, r.TTFT.P99, r.TTFT.Max} {
		near(t, "TTFT", q, 50, slack)
	}
	near(t, "ITL p50", r.ITL.P50, 20, slack/2)
	near(t, "end to end", r.EndToEnd.P50, 150, 2*slack)
	if r.Seconds < .45 || math.Abs(r.QPS-12/r.Seconds) > 1e-9 || math.Abs(r.TokensPerSecond-72/r.Seconds) > 1e-9 {
		t.Errorf("%+v", r)
	}
	if r.OwnCPUShare <= 0 || r.OwnCPUShare > 1 {
		t.Errorf("own share %v", r.OwnCPUShare)
	}
	near(t, "requests under way", r.Little.InFlight, 4, 0)
	if r.PromptTokens != 16 || !r.Little.Holds() {
		t.Errorf("%+v", r)
	}
}

// What is sent before and behind the requests that are counted keeps the load whole, and is in no figure.
func TestWarmUp(t *testing.T) {
	f := &fake{first: 20 * time.Millisecond, tokens: 2, usage: true, slow: func(n int64) bool { return n <= 3 }}
	r, err := Run(context.Background(), f.start(t), Load{Clients: 3, Requests: 30, WarmUp: 3, Prompt: 4, Tokens: 2})
	f.mu.Lock() // those that are not waited for may still be read
	defer f.mu.Unlock()
	if sent := len(f.prompts); err != nil || r.Completed != 30 || r.Failed != 0 || sent < 33 || sent > 36 {
		t.Errorf("%+v %v, %d requests", r, err, f.requests.Load())
	}
	if r.EndToEnd.Max > 400 || r.Seconds > 4 || r.Little.InFlight < 2.7 || r.Little.InFlight > 3 {
		t.Errorf("%+v", r)
	}
}

// In an open loop arrivals do not wait for answers: with answers of 400 ms and 50 arrivals a second
// many are under way, and the rate is what was asked for.
func TestOpenLoop(t *testing.T) {
	f := &fake{first: 400 * time.Millisecond, tokens: 1}
	const n, rate = 60, 50.0
	r, err := Run(context.Background(), f.start(t), Load{Clients: 1, Rate: rate, Requests: n, Prompt: 4, Tokens: 1, Seed: 3})
	if err != nil || r.Completed != n {
		t.Fatalf("%+v %v", r, err)
	}
	if f.most.Load() < 8 {
		t.Errorf("at most %d at a time", f.most.Load())
	}
	if got := (n - 1) / f.arrivals[n-1].Sub(f.arrivals[0]).Seconds(); got < rate*.6 || got > rate*1.6 {
		t.Errorf("%.1f arrivals a second, want about %v", got, rate)
	}
	if r.ITL != (Quantiles{}) || r.TokensPerSecond <= 0 {
		t.Errorf("one token each, without usage: %+v", r)
	}
}

func TestFailures(t *testing.T) {
	f := &fake{tokens: 2, fail: func(n int64) bool { return n%3 == 0 }}
	r, err := Run(context.Background(), f.start(t), Load{Clients: 1, Requests: 9, Prompt: 4, Tokens: 2})
	if err != nil || r.Completed != 6 || r.Failed != 3 || !strings.Contains(r.FirstError, "429: overloaded") || !strings.Contains(r.String(), "overloaded") || len(r.Errors) != 1 || r.Errors["429"] != 3 || len(r.Codes) != 1 || r.Codes["queue_full"] != 3 || !strings.Contains(r.String(), "failed with 429: 3") {
		t.Errorf("%+v %v", r, err)
	}
	r, err = Run(context.Background(), client.New("127.0.0.1:1"), Load{Clients: 1, Requests: 2, Prompt: 4, Tokens: 2})
	if err == nil || r.Errors["broken"] != 2 {
		t.Errorf("%+v %v", r, err)
	}
	f = &fake{fail: func(int64) bool { return true }}
	r, err = Run(context.Background(), f.start(t), Load{Clients: 2, Requests: 4, Prompt: 4, Tokens: 2})
	if err == nil || !strings.Contains(err.Error(), "no request was answered") || r.Failed != 4 {
		t.Errorf("%+v %v", r, err)
	}
}

// An interrupted load ends soon, whichever loop, and reports what it has.
func TestInterrupted(t *testing.T) {
	for _, rate := range []float64{0, .001} {
		f := &fake{first: time.Minute, tokens: 1}
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		began := time.Now()
		c := client.New("http://127.0.0.1:1")
		if rate == 0 {
			s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // the server looks for hang-ups behind the body
				<-r.Context().Done()
			}))
			defer s.Close()
			c = client.New(s.URL)
		}
		r, _ := Run(ctx, c, Load{Clients: 2, Rate: rate, Requests: 100, Prompt: 4, Tokens: 1})
		cancel()
		if d := time.Since(began); d > 5*time.Second || r == nil || r.Completed != 0 || f.requests.Load() != 0 {
			t.Errorf("rate %v: ended after %v with %+v", rate, d, r)
		}
	}
}

func TestLoadOutOfRange(t *testing.T) {
	good := Load{Clients: 1, Requests: 1, Prompt: 1, Tokens: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Load){
		"--clients is 0": func(l *Load) { l.Clients = 0 }, "--requests is -1": func(l *Load) { l.Requests = -1 },
		"--warm-up is -1": func(l *Load) { l.WarmUp = -1 }, "--shared-words is -2": func(l *Load) { l.Shared = -2 }, "--repeat is -1": func(l *Load) { l.Repeat = -1 },
		"--prompt-words is 0": func(l *Load) { l.Prompt = 0 }, "--tokens is 0": func(l *Load) { l.Tokens = 0 },
		"--rate is -1": func(l *Load) { l.Rate = -1 }, "--rate is NaN": func(l *Load) { l.Rate = math.NaN() }, "--rate is +Inf": func(l *Load) { l.Rate = math.Inf(1) },
	} {
		l := good
		change(&l)
		if r, err := Run(context.Background(), client.New("127.0.0.1:1"), l); r != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestQuantiles(t *testing.T) {
	upTo := func(n int) (d []time.Duration) {
		for i := n; i >= 1; i-- {
			d = append(d, time.Duration(i)*time.Millisecond)
		}
		return d
	}
	for n, want := range map[int]Quantiles{0: {}, 1: {1, 1, 1, 1}, 2: {1, 2, 2, 2}, 10: {5, 10, 10, 10}, 100: {50, 95, 99, 100}, 1000: {500, 950, 990, 1000}} {
		if got := quantiles(upTo(n)); got != want {
			t.Errorf("1 to %d ms: %+v, want %+v", n, got, want)
		}
	}
}

// The same seed gives the same prompts, and no two of a run are alike.
func TestPromptsAreRepeatable(t *testing.T) {
	sent := func(seed uint64) map[string]bool {
		f := &fake{tokens: 1}
		if _, err := Run(context.Background(), f.start(t), Load{Clients: 3, Requests: 20, Prompt: 12, Tokens: 1, Seed: seed}); err != nil {
			t.Fatal(err)
		}
		return f.prompts
	}
	a, b, other := sent(5), sent(5), sent(6)
	if len(a) != 20 {
		t.Errorf("%d different prompts", len(a))
	}
	for p := range a {
		if !b[p] || other[p] {
			t.Errorf("%.60s: repeated %v, with another seed %v", p, b[p], other[p])
		}
	}
}

// Prompts repeat in turn, or begin alike, where that is asked for.
func TestPromptsThatRepeat(t *testing.T) {
	p := Load{Prompt: 6, Repeat: 3, Seed: 1}.prompts()
	for i := range 9 {
		if same := p.at(i) == p.at(i%3); !same || i > 0 && p.at(i) == p.at(i-1) {
			t.Errorf("prompt %d of 3 in turn: %q", i, p.at(i))
		}
	}
	p = Load{Prompt: 6, Shared: 40, Seed: 1}.prompts()
	a, b := strings.Fields(p.at(0)), strings.Fields(p.at(1))
	if len(a) != 46 || len(b) != 46 || strings.Join(a[:40], " ") != strings.Join(b[:40], " ") || strings.Join(a[40:], " ") == strings.Join(b[40:], " ") {
		t.Errorf("%q\n%q", a, b)
	}
}
