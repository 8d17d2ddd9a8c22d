package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"chimera/api"
	"chimera/engine"
	"chimera/gpu"
	"chimera/gpu/gputest"
	"chimera/loader"
	"chimera/scheduler"
	"chimera/socket"
)

// docs/GPU.md has what the daemon did in each scenario: go test ./daemon -run GPUScenarios -rewrite

const scenarioPlace = "<!-- scenarios -->\n"

// drainsFor is how long the requests of a daemon in these tests go on once it drains.
const drainsFor = 3 * time.Second

// governs is a scheduler that only listens.
type governs func(scheduler.Governance)

func (f governs) Govern(g scheduler.Governance) { f(g) }

// life lets a daemon that serves on all GPUs of a scenario obey, and tells the verdicts that it met and what it did.
func life(t *testing.T, s *gputest.Scenario) (verdicts, deeds []string) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		ended, ends := context.WithCancel(t.Context())
		w := newGPUController(s.Open(over), ends)
		w.watcher = gpu.New(s.Open(over), func(n gpu.Notice) {
			if n.Xid == 0 && (n.Verdict.Action != n.Was.Action || n.Verdict.Needs != n.Was.Needs) {
				verdicts = append(verdicts, verdictWords(s, n))
			}
			w.hear(n)
		})
		w.serve(s.Places(), governs(func(g scheduler.Governance) {
			if g.MaxRunning == 0 {
				deeds = append(deeds, "cut lifted")
				return
			}
			deeds = append(deeds, fmt.Sprintf("admission cut to %d of 8", g.MaxRunning))
		}), 8)
		ctx, cancel := context.WithTimeout(t.Context(), s.Length)
		watched := make(chan struct{})
		go func() { w.watcher.Run(ctx); close(watched) }()
		last := "serves on"
		select {
		case <-ctx.Done():
		case <-w.orders:
			last = end(w, ended)
		}
		cancel()
		<-watched
		deeds = append(deeds, last)
		if len(verdicts) == 0 {
			verdicts = []string{"none: " + w.watcher.State().Reason}
		}
		close(over)
		time.Sleep(time.Second) // what hung comes back and ends
	})
	return verdicts, deeds
}

// end leaves as Serve does.
func end(w *gpuController, ended context.Context) string {
	err := w.ordered(nil)
	w.leaveNow()
	deed := "drained"
	select {
	case <-time.After(drainsFor):
	case <-ended.Done():
		deed = "cut off what ran"
	}
	return fmt.Sprintf("%s, exit %d", deed, ExitCode(w.last(err)))
}

// verdictWords leaves out the reason, which stands in the scenario's file.
func verdictWords(s *gputest.Scenario, n gpu.Notice) string {
	n.Verdict.Reason = ""
	if s.Devices > 1 {
		return fmt.Sprintf("GPU %d: %s", n.Device.Index, gputest.Words(n.Verdict))
	}
	return gputest.Words(n.Verdict)
}

func TestGPUScenarios(t *testing.T) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	list, err := gputest.All("../gpu/testdata")
	if err != nil || len(list) < 15 {
		t.Fatalf("%d scenarios, %v", len(list), err)
	}
	table := &strings.Builder{}
	table.WriteString("| Scenario | Verdicts | What the daemon did |\n| --- | --- | --- |\n")
	for _, s := range list {
		verdicts, deeds := life(t, s)
		fmt.Fprintf(table, "| %s | %s | %s |\n", s.Title, strings.Join(verdicts, ", then "), strings.Join(deeds, ", "))
	}
	const path = "../docs/GPU.md"
	text, err := os.ReadFile(path)
	parts := strings.Split(string(text), scenarioPlace)
	if err != nil || len(parts) != 3 {
		t.Fatalf("%s: %v, %d places for the table", path, err, len(parts)-1)
	}
	if *rewrite {
		err = os.WriteFile(path, []byte(strings.Join([]string{parts[0], table.String(), parts[2]}, scenarioPlace)), 0o644)
	} else if parts[1] != table.String() {
		err = fmt.Errorf("out of date: go test ./daemon -run GPUScenarios -rewrite\n%s", table)
	}
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

// fault is a verdict of GPU 0.
func fault(a gpu.Action, n gpu.Need) gpu.Notice {
	return gpu.Notice{Device: gpu.Device{Name: "X", Bus: "0000:17:00.0"}, Verdict: gpu.Verdict{Action: a, Needs: n, Reason: "it broke"}}
}

func obedient(end func()) (*gpuController, *[]int) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	cuts := &[]int{}
	w := newGPUController(func(*gpu.Call) (gpu.Reader, error) { return nil, errors.New("none") }, end)
	w.serve([]gpu.Place{{Bus: "0000:17:00.0"}}, governs(func(g scheduler.Governance) { *cuts = append(*cuts, g.MaxRunning) }), 5)
	return w, cuts
}

// A GPU that the model does not compute on is watched and not obeyed.
func TestStrangersAreNotObeyed(t *testing.T) {
	w, cuts := obedient(func() { t.Error("ended") })
	for _, a := range gpu.Actions() {
		n := fault(a, gpu.NewCard)
		n.Device.Bus = "0000:18:00.0"
		w.hear(n)
	}
	if len(w.orders) != 0 || len(*cuts) != 0 {
		t.Errorf("%d orders, cuts %v", len(w.orders), *cuts)
	}
	w.serve([]gpu.Place{{Bus: "0000:18:00.0"}}, nil, 5) // now it does: what is known counts
	if len(w.orders) != 1 {
		t.Error("a known verdict was not obeyed")
	}
}

// The cut is made once, survives a driver that does not tell, and is lifted once.
func TestAdmissionCut(t *testing.T) {
	w, cuts := obedient(func() { t.Error("ended") })
	for _, a := range []gpu.Action{gpu.Serve, gpu.Unknown, gpu.Degrade, gpu.Degrade, gpu.Unknown, gpu.Degrade, gpu.Serve, gpu.Serve, gpu.Degrade} {
		w.hear(fault(a, gpu.Nothing))
	}
	if fmt.Sprint(*cuts) != "[2 0 2]" || len(w.orders) != 0 {
		t.Errorf("cuts %v, %d orders", *cuts, len(w.orders))
	}
}

// What comes while the daemon drains: a worse fault ends it at once and decides the code; a milder one changes nothing.
func TestWorseWhileDraining(t *testing.T) {
	for _, c := range []struct {
		first, second gpu.Notice
		ends          int
		code          int
	}{
		{fault(gpu.Drain, gpu.NewProcess), fault(gpu.Drain, gpu.NewProcess), 0, 10},
		{fault(gpu.Drain, gpu.NewProcess), fault(gpu.Drain, gpu.Reset), 0, 11},
		{fault(gpu.Drain, gpu.NewProcess), fault(gpu.Restart, gpu.NewProcess), 1, 10},
		{fault(gpu.Drain, gpu.NewProcess), fault(gpu.Replace, gpu.NewCard), 0, 11},
		{fault(gpu.Drain, gpu.Reset), fault(gpu.Serve, gpu.Nothing), 0, 11},
	} {
		ends := 0
		w, _ := obedient(func() { ends++ })
		w.hear(c.first)
		<-w.orders
		err := w.ordered(nil)
		w.leaveNow()
		w.hear(c.second)
		if code := ExitCode(w.last(err)); code != c.code || ends != c.ends {
			t.Errorf("%v then %v: exit %d, ended %d times", c.first.Verdict, c.second.Verdict, code, ends)
		}
	}
	w, _ := obedient(func() {})
	w.hear(fault(gpu.Replace, gpu.NewCard))
	if err := w.last(nil); err != nil {
		t.Errorf("SIGTERM was first: %v", err)
	}
}

// A step often fails before the driver reports why: the code is the verdict's if it comes soon.
func TestPoisonAndVerdict(t *testing.T) {
	poison := fmt.Errorf("the engine stopped: step failed: %w", engine.ErrPoisoned)
	for name, c := range map[string]struct {
		after time.Duration // of the verdict; 0: never
		needs gpu.Need
		err   error
		code  int
	}{
		"no verdict":          {0, 0, poison, 10},
		"contained":           {time.Second, gpu.NewProcess, poison, 10},
		"needs a reset":       {time.Second, gpu.Reset, poison, 11},
		"off the bus":         {2 * time.Second, gpu.Reboot, poison, 11},
		"while it stops":      {4 * time.Second, gpu.Reset, poison, 11},
		"another error":       {time.Second, gpu.Reset, errors.New("the listener broke"), 0},
		"a signal, no error":  {time.Second, gpu.Reset, nil, 0},
		"a model file's own":  {time.Second, gpu.Reset, ErrModelFile, 0},
		"the order was first": {time.Nanosecond, gpu.Reset, poison, 11},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, _ := obedient(func() {})
			if c.after > 0 {
				time.AfterFunc(c.after, func() { w.hear(fault(gpu.Restart, c.needs)) })
			}
			began := time.Now()
			err := w.why(c.err)
			if waited := time.Since(began); waited > settleTime || !errors.Is(c.err, ErrPoisoned) && waited > 0 {
				t.Errorf("%s: waited %v", name, waited)
			}
			w.leaveNow()
			time.Sleep(5 * time.Second) // the stop
			if err = w.last(err); ExitCode(err) != c.code || c.err != nil && !errors.Is(err, c.err) && !strings.Contains(err.Error(), c.err.Error()) {
				t.Errorf("%s: exit %d, %v", name, ExitCode(err), err)
			}
		})
	}
	w := newGPUController(gpu.Open, nil) // on the CPU nobody waits
	w.serve(nil, nil, 1)
	began := time.Now()
	if err := w.why(poison); ExitCode(err) != ExitRestart || time.Since(began) > settleTime/2 {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// Stopping that hangs in the driver has an end, with the code that was due.
func TestLastResort(t *testing.T) {
	restart := &GPUError{Verdict: gpu.Verdict{Action: gpu.Restart, Needs: gpu.Reset}}
	drain := &GPUError{Verdict: gpu.Verdict{Action: gpu.Drain, Needs: gpu.NewProcess}}
	for _, c := range []struct {
		err   error
		after time.Duration
		code  int
	}{
		{restart, stuckTime, 11}, {drain, drainTime + stuckTime, 10}, {engine.ErrPoisoned, drainTime + stuckTime, 10},
		{nil, drainTime + stuckTime, 1}, {errors.New("other"), drainTime + stuckTime, 1}, // a signal, a listener
	} {
		synctest.Test(t, func(t *testing.T) {
			began, after, code := time.Now(), time.Duration(0), 0
			lastResort(c.err, func(n int) { after, code = time.Since(began), n })
			time.Sleep(time.Hour)
			synctest.Wait()
			if after != c.after || code != c.code {
				t.Errorf("%v: exit %d after %v", c.err, code, after)
			}
			stopped := lastResort(c.err, func(int) { t.Error("ended though it had stopped") })
			time.Sleep(stuckTime - 1)
			stopped()
			time.Sleep(time.Hour)
		})
	}
}

func TestGPUErrorSaysWhatToDo(t *testing.T) {
	e := &GPUError{gpu.Device{Index: 1, Name: "X", Bus: "0000:17:00.0"}, gpu.Verdict{Action: gpu.Replace, Needs: gpu.NewCard, Reason: "it broke"}, errors.New("step failed")}
	if want := "GPU 1 (X, 0000:17:00.0): replace: it broke; it needs a new card: step failed"; e.Error() != want {
		t.Errorf("%q", e.Error())
	}
}

// live starts the loop of a server on a fake instance that computes on GPU 0 of a scenario, and waits for its end.
func live(t *testing.T, scenario string, fail func(int) error) (*server, error) {
	t.Helper()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	play, err := gputest.Parse("live", "title live\n"+scenario+"\nend 1h\n---\n")
	if err != nil {
		t.Fatal(err)
	}
	d := newFakeDevice()
	d.places, d.step = []gpu.Place{{Bus: "0000:17:00.0"}}, fail
	c := fakeConfig(t, "m")
	s := &server{config: c, models: newFakeModels(t, c)}
	over := make(chan struct{})
	s.gpus = newGPUController(play.Open(over), func() { s.models.cutOff() })
	t.Cleanup(func() { s.stop(); close(over) })
	s.http, err = socket.NewServer(socket.Config{Handler: func(*fasthttp.RequestCtx) {}, MaxBody: 1 << 10})
	if err = errors.Join(err, s.watchGPUs()); err != nil {
		t.Fatal(err)
	}
	s.serveOn(d)
	if err := s.models.loadAtStart(); err == nil {
		go func() {
			if held, err := s.models.Hold(context.Background(), "", api.Wait{}); err == nil {
				_, _ = held.Model.Engine.SubmitGroup(held.Context, []scheduler.Request{{Prompt: []int32{1, 2}, MaxTokens: 8, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}}})
				held.Release()
			}
		}()
	}
	return s, s.gpus.why(s.wait(t.Context(), nil))
}

// Whatever began the end, a GPU that is lost by then cuts off what runs, and a later one too.
func TestLostWhileLeaving(t *testing.T) {
	for name, lost := range map[string]func(w *gpuController, leave func()){
		"before": func(w *gpuController, leave func()) { w.hear(fault(gpu.Restart, gpu.Reboot)); leave() },
		"after":  func(w *gpuController, leave func()) { leave(); w.hear(fault(gpu.Restart, gpu.Reboot)) },
	} {
		ends := 0
		w, _ := obedient(func() { ends++ })
		lost(w, w.leaveNow)
		if ends != 1 {
			t.Errorf("%s: ended %d times", name, ends)
		}
	}
}

// The server ends for a verdict and for a poisoned device, with the code that the unit acts on.
func TestServerObeys(t *testing.T) {
	poisoned := func(int) error { return fmt.Errorf("illegal address: %w", engine.ErrDevicePoisoned) }
	for scenario, c := range map[string]struct {
		fail func(int) error
		code int
		says string
	}{
		"0s remapped=failed": {nil, ExitOutOfService, "replace"},
		"0s lost":            {nil, ExitOutOfService, "machine restart"},
		"0s recovery=4":      {nil, ExitOutOfService, "drain_and_reset"},
		"0s":                 {poisoned, ExitRestart, "illegal address"},
		"1s xid=94":          {poisoned, ExitRestart, "illegal address"},
		"1s xid=95":          {poisoned, ExitOutOfService, "illegal address"},
	} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			if _, err := live(t, scenario, c.fail); ExitCode(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("exit %d: %v", ExitCode(err), err)
			}
		})
	}
}

// A card that is known to be bad before the model is up is not served on.
func TestBadGPURefusedAtStart(t *testing.T) {
	w, _ := obedient(func() {})
	s := &server{gpus: w}
	if err := s.checkGPUs(); err != nil {
		t.Errorf("%v", err)
	}
	w.hear(fault(gpu.Replace, gpu.NewCard))
	if err := s.checkGPUs(); ExitCode(err) != ExitOutOfService {
		t.Errorf("%v", err)
	}
}

// What a person must see to keeps the unit down: a new process would meet the same.
func TestMachineErrorIsNoCrashLoop(t *testing.T) {
	err := fmt.Errorf("device: auto: %w", &loader.MachineError{Cause: errors.New("cuInit: nvidia-uvm is not loaded")})
	if ExitCode(err) != ExitOutOfService || !strings.HasSuffix(err.Error(), "nvidia-uvm is not loaded") {
		t.Errorf("exit %d: %v", ExitCode(err), err)
	}
}

// CUDA needs nvidia-uvm. The unit has it loaded before DeviceAllow= is looked up among the devices there are, and the
// drop-in has its file made, which the daemon may not do.
func TestUnitLoadsUVM(t *testing.T) {
	unit, err := os.ReadFile("../systemd/units/chimera.service")
	document, err2 := os.ReadFile("../docs/GPU.md")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	for line, text := range map[string][]byte{
		"\nWants=modprobe@nvidia_uvm.service\n": unit, "\nAfter=network.target modprobe@nvidia_uvm.service\n": unit,
		"\n    ExecStartPre=-+/usr/bin/nvidia-modprobe -u -c=0\n": document, "\n    DeviceAllow=char-nvidia-uvm rw\n": document,
	} {
		if !strings.Contains(string(text), line) {
			t.Errorf("there is no line %q", line)
		}
	}
}

// The unit acts on the codes that the daemon exits with.
func TestUnitKnowsExitCodes(t *testing.T) {
	text, err := os.ReadFile("../systemd/units/chimera.service")
	for _, line := range []string{fmt.Sprintf("RestartForceExitStatus=%d", ExitRestart), fmt.Sprintf("RestartPreventExitStatus=%d", ExitOutOfService)} {
		if err != nil || !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("the unit lacks %s (%v)", line, err)
		}
	}
}
