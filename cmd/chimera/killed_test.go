package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// This file owns the test of a daemon that is killed at any moment of its work: answers, ratings and changes of tiers under way.

// killedWork is what clients of one history have been told, by all daemons that it had.
type killedWork struct {
	mu       sync.Mutex
	folder   string
	answers  map[string]time.Time // when each was there
	rated    map[string]time.Time // when each rating was taken
	numerics map[string]string    // of each tier, which stay what they were
	changes  int                  // of tiers
	quality  killedQuality
}

// overSocket asks a daemon as its user. Of one that is killed meanwhile it has status 0.
func (d *daemonProcess) overSocket(method, path, body string) (status int, header http.Header, text []byte) {
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", d.socket)
	}}, Timeout: 30 * time.Second}
	r, err := http.NewRequest(method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, nil
	}
	a, err := c.Do(r)
	if err != nil {
		return 0, nil, nil
	}
	defer a.Body.Close()
	if text, err = io.ReadAll(a.Body); err != nil {
		return 0, nil, nil
	}
	return a.StatusCode, a.Header, text
}

// asks has an answer and rates it; it tells whether the daemon still lives.
func (w *killedWork) asks(t *testing.T, d *daemonProcess, seed int) bool {
	status, header, text := d.overSocket("POST", "/v1/chat/completions",
		fmt.Sprintf(`{"messages":[{"role":"user","content":"Open file %d in a new window"}],"max_tokens":12,"seed":%d}`, seed%50, seed))
	var a struct{ ID string }
	if status == 0 {
		return false
	}
	if json.Unmarshal(text, &a) != nil || status != 200 {
		t.Errorf("%d %s", status, text)
		return false
	}
	w.mu.Lock()
	w.answers[a.ID] = time.Now()
	tier, numerics := header.Get("X-Chimera-Tier"), header.Get("X-Chimera-Numerics")
	if was, known := w.numerics[tier]; known && was != numerics {
		t.Errorf("%s has numerics %s, and had %s", tier, numerics, was)
	}
	w.numerics[tier] = numerics
	w.mu.Unlock()
	if status, _, text = d.overSocket("POST", "/v1/feedback", fmt.Sprintf(`{"completion_id":%q,"rating":%d}`, a.ID, 1+seed%5)); status == 200 {
		w.mu.Lock()
		w.rated[a.ID] = time.Now()
		w.mu.Unlock()
	} else if status != 0 {
		t.Errorf("%d %s", status, text)
	}
	return status != 0
}

// run has clients ask, and tiers change, until a daemon is killed after some time, which is returned. In a long life tiers stay for a while, so that suites, canaries
// and the control group have their turns.
func (w *killedWork) run(t *testing.T, d *daemonProcess, life time.Duration) (killed time.Time) {
	var group sync.WaitGroup
	canaries, windows := w.quality.measured()
	settled := make(chan struct{}) // tiers change no more: a window is of one
	group.Go(func() { w.quality.watch(t, d) })
	for range 2 {
		group.Go(func() {
			for w.asks(t, d, rand.IntN(1000)) {
				time.Sleep(60 * time.Millisecond) // else background work, as a change of tiers is, has hardly a gap
			}
		})
	}
	group.Go(func() {
		for i := 0; ; i++ {
			status, _, text := d.overSocket("POST", "/v1/tiers", fmt.Sprintf(`{"tier":%q}`, []string{"q4_k", "q2_k", "q6_k", "source"}[i%4]))
			if status != 200 {
				if status != 0 {
					t.Errorf("%d %s", status, text)
				}
				return
			}
			w.mu.Lock()
			w.changes++
			w.mu.Unlock()
			pause := time.Duration(0)
			if life > 5*time.Second {
				pause = time.Duration(rand.IntN(int(life / 3)))
			}
			select {
			case <-settled:
				return
			case <-time.After(pause):
			}
		}
	})
	changed := func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.changes > 0
	}
	for end := time.Now().Add(time.Minute); !changed() && time.Now().Before(end); time.Sleep(time.Millisecond) { // where others use the cores it takes a while
	}
	time.Sleep(life)
	if life > 5*time.Second {
		close(settled)
		w.quality.untilMore(canaries, windows)
	}
	killed = time.Now()
	if err := d.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	_ = d.cmd.Wait()
	group.Wait()
	return killed
}

// check asks the next daemon what it knows of the last.
func (w *killedWork) check(t *testing.T, d *daemonProcess, killed time.Time) {
	for id, at := range w.answers {
		status, _, text := d.overSocket("GET", "/v1/receipts/"+id, "")
		var r struct{ Ratings []int }
		there := status == 200 && json.Unmarshal(text, &r) == nil
		if old := killed.Sub(at) > time.Second; !there && old || status != 200 && status != 404 {
			t.Errorf("the receipt of an answer of %v before the end: %d %s", killed.Sub(at), status, text)
		}
		if rated, was := w.rated[id]; there && was && killed.Sub(rated) > time.Second && len(r.Ratings) != 1 {
			t.Errorf("%s was rated %v before the end, and has %v", id, killed.Sub(rated), r.Ratings)
		}
	}
	clear(w.answers) // what is there once is there
	clear(w.rated)
	_, _, text := d.overSocket("GET", "/v1/tiers", "")
	var tiers struct {
		Models []struct {
			Tier   string
			Events []struct{ To, State string }
		}
	}
	if err := json.Unmarshal(text, &tiers); err != nil || len(tiers.Models) != 1 || tiers.Models[0].Tier != "source" {
		t.Errorf("%v %s", err, text)
		return
	}
	for _, e := range tiers.Models[0].Events {
		if e.State != "applied" && e.State != "reverted" {
			t.Errorf("a decision for %s is %s", e.To, e.State)
		}
	}
	for _, status := range []string{`"state":"on"`, `"damaged_rows":0`} {
		if _, _, text := d.overSocket("GET", "/v1/status", ""); !strings.Contains(strings.ReplaceAll(string(text), ": ", ":"), status) {
			t.Errorf("the status has no %s: %s", status, text)
		}
	}
}

// However often it is killed, the next daemon opens the history, which misses no more than a second; no decision is half applied, and a tier that
// was half written to the disk is not taken for one. The control group, canaries and suites are at work, and raise no alarm, before or after. CHIMERA_KILLS says how
// often; by default five times. Each fourth daemon lives for longer, until its canaries are asked and a window is full, or a little more.
func TestKilledUnderLoad(t *testing.T) {
	model, kills := filepath.Join(goldenDir(t, "CHIMERA_MT", "mt"), "gguf", "f32.gguf"), 5
	if text := os.Getenv("CHIMERA_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("CHIMERA_KILLS: %q is no number of times", text)
		}
		kills = n
	}
	w := &killedWork{folder: t.TempDir(), answers: map[string]time.Time{}, rated: map[string]time.Time{}, numerics: map[string]string{},
		quality: killedQuality{windows: map[time.Time]bool{}}}
	history := filepath.Join(w.folder, "history.db")
	args := append([]string{"--model", model, "--ctx", "256", "--threads", "2", "--history-file", history}, qualityArgs(t, model)...)
	d, answers := startDaemon(t, args...), 0
	for i := range kills {
		life := time.Duration(100+rand.IntN(400)+1300*(i%2)) * time.Millisecond
		if i%4 == 3 {
			life = 9*time.Second + time.Duration(rand.IntN(4000))*time.Millisecond
		}
		killed := w.run(t, d, life)
		answers += len(w.answers)
		log := d.log.String()
		w.quality.check(t, history, killed)
		d = startDaemon(t, args...)
		w.check(t, d, killed)
		if strings.Contains(log, "damaged") {
			t.Errorf("a daemon says that something is damaged:\n%s", log)
		}
		if t.Failed() {
			t.Fatalf("after %d kills; the last daemon said\n%s", i+1, log)
		}
	}
	for _, tier := range []string{"q4_k", "q2_k", "q6_k"} { // from the disk, where they are, or made anew: the same
		if status, _, text := d.overSocket("POST", "/v1/tiers", fmt.Sprintf(`{"tier":%q}`, tier)); status != 200 {
			t.Errorf("%d %s", status, text)
		}
		w.asks(t, d, 1)
	}
	if t.Logf("%d answers, %d changes of tiers, numerics %v", answers, w.changes, w.numerics); answers < 2*kills || w.changes < 1 || len(w.numerics) < 3 {
		t.Errorf("%d answers, %d changes, %v", answers, w.changes, w.numerics)
	}
	q := &w.quality
	if t.Logf("%d drawn, %d windows, canaries asked %d times, %d rows of suites, %d goldens", q.drawn, q.seen, q.canaries, q.suites, len(q.goldens)); q.drawn < int64(kills) || q.suites == 0 || kills >= 4 && (q.seen == 0 || q.canaries == 0 || len(q.goldens) < 2) {
		t.Error("the quality loop was not at work")
	}
	if strings.Contains(d.log.String(), "damaged") {
		t.Errorf("a tier on the disk is damaged:\n%s", d.log)
	}
}
