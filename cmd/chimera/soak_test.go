package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// This file owns the soak: one daemon of several models under random load for as long as CHIMERA_SOAK says. Every answer that was
// completed must be the one that the same request has alone, and nothing may grow.

// A soak goes by rounds: the round's requests are answered alone, then many clients ask them at once while models come and go, then the
// daemon rests, with one model, and is looked at.
const (
	soakClients  = 24
	soakRequests = 24 // of a round
	soakWarmUp   = 2  // rounds after which nothing may grow
	soakShort    = 20 * time.Second
)

func TestSoak(t *testing.T) {
	length, seed := soakShort, rand.Uint64()
	if testing.Short() {
		length = soakShort / 5
	}
	if given, err := time.ParseDuration(os.Getenv("CHIMERA_SOAK")); err == nil {
		length = given
	}
	if given, err := strconv.ParseUint(os.Getenv("CHIMERA_SOAK_SEED"), 10, 64); err == nil {
		seed = given
	}
	models := newSoakModels(t)
	p := models.serve(t)
	s := &soak{process: p, seed: seed, models: models, clients: newSoakClients(p, models), done: map[string]int{}}
	defer func() {
		if t.Failed() {
			t.Logf("this soak again: CHIMERA_SOAK_SEED=%d CHIMERA_SOAK=%v go test ./cmd/chimera -run Soak", seed, length)
		}
	}()
	s.run(t, length)
	p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.exit(t); code != 0 || strings.Contains(p.log.String(), "goroutine ") {
		t.Errorf("exit %d\n%s", code, p.log)
	}
}

// soak is one run.
type soak struct {
	process *process
	seed    uint64
	models  *soakModels
	clients []*soakClient
	read    int // bytes of the log that have been looked at
	mu      sync.Mutex
	done    map[string]int // what came of requests, by what was done to them, and what the log says of the models
	base    soakFigures    // the most of the rounds of warm-up
}

func (s *soak) run(t *testing.T, length time.Duration) {
	storm := min(max(length/12, time.Second/2), 30*time.Second)
	end := time.Now().Add(length)
	round := 0
	for ; (time.Now().Before(end) || round <= soakWarmUp) && !t.Failed(); round++ {
		requests := s.requests(t, uint64(round))
		s.storm(t, uint64(round), requests, storm)
		s.rest(t, round)
	}
	last := s.figures(t)
	t.Logf("seed %d: %d rounds, %v; %d preemptions, at rest %d MiB, %d descriptors, %d goroutines", s.seed, round, s.done, last.preemptions, last.resident>>20, last.descriptors, last.goroutines)
	for _, what := range soakKinds() {
		if s.done[what] == 0 {
			t.Errorf("there was no %q: the soak has shown nothing of it", what)
		}
	}
	if last.preemptions == 0 {
		t.Errorf("%d rounds, %d preemptions: the soak has shown nothing", round, last.preemptions)
	}
}

// requests are those of a round, with the answers that they have alone.
func (s *soak) requests(t *testing.T, round uint64) []soakRequest {
	random := rand.New(rand.NewPCG(s.seed, round))
	stems := [][]int{soakTokens(random, 64), soakTokens(random, 40)}
	list := make([]soakRequest, soakRequests)
	for i := range list {
		list[i] = newSoakRequest(random, stems)
		alone := list[i]
		alone.header = http.Header{} // the answer is the same whatever its class, and it needs not wait for a model
		answer, err := s.clients[0].ask(context.Background(), alone, false, 0)
		if err != nil {
			t.Fatalf("alone: %v\n%s", err, list[i].body(false))
		}
		list[i].alone = answer
	}
	return list
}

// storm has many clients do what clients do.
func (s *soak) storm(t *testing.T, round uint64, requests []soakRequest, length time.Duration) {
	end := time.Now().Add(length)
	var group sync.WaitGroup
	for i := range soakClients {
		group.Go(func() {
			random := rand.New(rand.NewPCG(s.seed^round<<32, uint64(i)))
			for time.Now().Before(end) && !t.Failed() {
				behaviour := soakBehaviours[random.IntN(len(soakBehaviours))]
				r := requests[random.IntN(len(requests))]
				kept, err := behaviour.do(s.clients[random.IntN(len(s.clients))], r, random)
				if err != nil {
					t.Errorf("round %d, %s: %v\n%s", round, behaviour.name, err, r.body(false))
				}
				if kept {
					s.mu.Lock()
					s.done[behaviour.name]++
					s.mu.Unlock()
				}
			}
		})
	}
	group.Wait()
}

// soakFigures are what may not grow, and what was done.
type soakFigures struct {
	resident, descriptors, goroutines, busy, preemptions int
}

var soakMetrics = regexp.MustCompile(`(?m)^(\w+)(?:\{model="[^"]*"\})? (\S+)$`)

func (s *soak) figures(t *testing.T) (f soakFigures) {
	text, err := s.clients[0].get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	value := map[string]int{}
	for _, m := range soakMetrics.FindAllStringSubmatch(text, -1) {
		x, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatalf("%s: %v", m[0], err)
		}
		value[m[1]] += int(x) // of all models
	}
	read := func(name string) int {
		if _, ok := value[name]; !ok {
			t.Fatalf("/metrics has no %s", name)
		}
		return value[name]
	}
	return soakFigures{
		resident: read("process_resident_memory_bytes"), descriptors: read("process_open_fds"), goroutines: read("go_goroutines"),
		busy: read("chimera_requests_running") + read("chimera_requests_waiting") + read("chimera_own_requests_running") + read("chimera_own_requests_waiting") +
			read("chimera_kv_pages_used"),
		preemptions: read("chimera_preemptions_total"),
	}
}

// Slack of what may not grow: the collector's timing moves memory, a connection that is being closed the others.
const (
	soakMemory = 16 << 20
	soakFew    = 2
	soakSettle = time.Second / 2 // until what is closed is gone
)

// beyond names what has grown.
func (f soakFigures) beyond(base soakFigures) (grown []string) {
	for _, c := range []struct {
		name              string
		now, before, much int
	}{
		{"bytes of memory", f.resident, base.resident, soakMemory}, {"descriptors", f.descriptors, base.descriptors, soakFew},
		{"goroutines", f.goroutines, base.goroutines, soakFew}, {"requests and pages that nobody has", f.busy, 0, 0},
	} {
		if c.now > c.before+c.much {
			grown = append(grown, fmt.Sprintf("%d %s, before %d", c.now, c.name, c.before))
		}
	}
	return grown
}

// rest waits until nothing is left of the round; what stays beyond what the first rounds left has leaked.
func (s *soak) rest(t *testing.T, round int) {
	if err := s.models.rest(); err != nil {
		t.Error(err)
	}
	for _, c := range s.clients {
		c.http.CloseIdleConnections()
	}
	text := s.process.log.from(s.read)
	s.read += len(text)
	s.note(text)
	if round < soakWarmUp {
		time.Sleep(soakSettle)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		f := s.figures(t)
		base := s.base
		if round < soakWarmUp {
			base = soakFigures{resident: f.resident, descriptors: f.descriptors, goroutines: f.goroutines}
		}
		grown := f.beyond(base)
		if len(grown) == 0 {
			s.base = soakFigures{resident: max(s.base.resident, base.resident), descriptors: max(s.base.descriptors, base.descriptors), goroutines: max(s.base.goroutines, base.goroutines)}
			return
		}
		if time.Now().After(end) {
			t.Errorf("round %d has left %s\n%s", round, strings.Join(grown, "; "), s.process.log)
			return
		}
	}
}

// What has grown is named.
func TestSoakFigures(t *testing.T) {
	base := soakFigures{resident: 100 << 20, descriptors: 10, goroutines: 20}
	for want, f := range map[string]soakFigures{
		"":            {resident: 116 << 20, descriptors: 12, goroutines: 22},
		"memory":      {resident: 117 << 20},
		"descriptors": {descriptors: 13}, "goroutines": {goroutines: 23}, "requests and pages": {busy: 1},
	} {
		grown := strings.Join(f.beyond(base), "; ")
		if (want == "") != (grown == "") || !strings.Contains(grown, want) || strings.Contains(grown, "; ") {
			t.Errorf("%+v: %q, want %q", f, grown, want)
		}
	}
}
