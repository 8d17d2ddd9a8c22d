//go:build cuda

package cuda

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/cuda/cudatest"
	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/hostmem"
)

// This file owns the fault table: a short run, from opening the device to closing it, in which every driver call fails once
// in every way. docs/GPU_FAULTS.md has what came of it: go test -tags cuda ./cuda -run FaultTable -rewrite
//
// TestFaultAtEveryCall of the device is the layer below: here whole runs are held to what the daemon relies on.

const (
	hanging  = time.Hour              // of a call that does not return
	deadline = 150 * time.Millisecond // then
	slow     = 5 * time.Second        // what a leg of the ride may take on a busy machine, beside a deadline
)

// faultKind is a way to fail.
type faultKind struct {
	name string
	code int
	hang time.Duration
}

var faultKinds = []faultKind{
	{"out of memory", 2, 0}, {"device unavailable", 46, 0}, {"ECC", 214, 0}, {"illegal address", 700, 0},
	{"launch failure", 719, 0}, {"unknown", 999, 0}, {"no answer", 0, hanging},
}

// The verdicts.
const (
	served   = "none: it goes on"
	refused  = "refused"
	poisoned = "poisoned"
)

// callAt is a driver call of the clean ride.
type callAt struct {
	leg, call string
	later     bool // a graph while others are kept
}

// giveBacks are the calls after whose failure the one thing that they were about is left.
var giveBacks = []string{"cuMemFree", "cuMemFreeHost", "cuStreamDestroy", "cuEventDestroy", "cuModuleUnload", "cuGraphExecDestroy",
	"cuGraphDestroy", "cuDevicePrimaryCtxRelease"}

// verdict is what a fault must lead to. Memory that is short at the start ends the start alone, while weights are replaced the replacing; without pinned memory copies are slower;
// whatever fails once there is an instance has left steps half done. At the end only the wait for what is under way counts as that.
func (c callAt) verdict(f faultKind) string {
	switch {
	case f.code != 2:
		return poisoned
	case c.call == "cuMemHostAlloc", c.call == instantiating && c.later:
		return served
	case c.leg == opening, c.leg == loaded, c.leg == replaced, c.leg == closing && c.call != "cuStreamSynchronize":
		return refused
	}
	return poisoned
}

// world is what a ride may not change: host memory by purpose, and how often it was not pinned.
type world struct{ regions, bytes, fallbacks int64 }

func now() (w world) {
	for _, u := range hostmem.Usage() {
		w.regions, w.bytes, w.fallbacks = w.regions+u.Regions, w.bytes+u.Bytes, w.fallbacks+u.Fallbacks
	}
	return w
}

// keptNow counts what is kept for poisoned devices, and proves that it can still be written.
func keptNow() (w world) {
	kept.Lock()
	defer kept.Unlock()
	for _, r := range kept.regions {
		b := r.Bytes()
		b[0], b[len(b)-1] = 1, 1
		w.regions, w.bytes = w.regions+1, w.bytes+int64(len(b))
	}
	return w
}

// limits sets the deadline of all calls.
func limits(d time.Duration) (restore func()) {
	call, module, open := callLimit, moduleLimit, openLimit
	callLimit, moduleLimit, openLimit = d, d, d
	return func() { callLimit, moduleLimit, openLimit = call, module, open }
}

// table is the fault table on its way.
type table struct {
	t       *testing.T
	program *engine.Program
	weights enginetest.Tensors
	others  enginetest.Tensors
	calls   []callAt
	answers [][]byte
	before  world
	rows    []row
	wrong   int
}

// clean makes the ride that nothing happens to, and takes down its calls.
func clean(t *testing.T) *table {
	t.Helper()
	if err := Open(); err != nil { // its calls are made once in a process: see TestFaultsOfOpening
		t.Fatal(err)
	}
	x := &table{t: t}
	x.program, x.weights = made(t, tinyShape, engine.Q8_0, engine.F32)
	_, x.others = made(t, tinyShape, engine.F32, engine.F16)
	x.before = now()
	cudatest.Reset()
	r := (&ride{program: x.program, weights: x.weights, others: x.others}).run()
	if r.err != nil {
		t.Fatal(r.leg, r.err)
	}
	x.answers = r.answers
	legs := []string{opening, loaded, batched, stepped, paged, replaced, retired, closing}
	graphs := 0
	for _, line := range cudatest.Log() {
		if strings.HasPrefix(line, " ") {
			continue
		}
		c := callAt{leg: legs[0], call: base(strings.Fields(line)[1])}
		if c.call == instantiating {
			c.later = graphs > 0
			graphs++
		}
		if x.calls = append(x.calls, c); len(x.calls) == r.until[legs[0]] {
			legs = legs[1:]
		}
	}
	if len(legs) != 0 || graphs < 2 {
		t.Fatalf("%d legs have no end, %d graphs", len(legs), graphs)
	}
	if leaks := cudatest.Live().Leaks(); leaks != "" || now() != x.before || len(cudatest.Violations()) != 0 {
		t.Fatalf("the clean ride leaves %s, %+v: %q", leaks, now(), cudatest.Violations())
	}
	return x
}

// base is a driver function as errors name it.
func base(symbol string) string { return strings.TrimSuffix(symbol, "_v2") }

func (x *table) errorf(format string, a ...any) {
	x.t.Helper()
	x.t.Errorf(format, a...)
	if x.wrong++; x.wrong == 20 {
		x.t.Fatal("and so on")
	}
}

// at lets the nth call fail.
func (x *table) at(n int, f faultKind) {
	x.t.Helper()
	c := x.calls[n-1]
	what := fmt.Sprintf("call %d, %s while %s, %s", n, c.call, c.leg, f.name)
	r := x.ride("*", n, f, c)
	verdict := verdictOf(r.err)
	if verdict != c.verdict(f) || verdict != served && r.leg != c.leg {
		x.errorf("%s: %s while %s: %v", what, verdict, r.leg, r.err)
	}
	if verdict != served {
		x.named(what, r, c.call)
	}
	if made := r.until[r.leg]; verdict == poisoned && f.code != 2 && made != n {
		x.errorf("%s: then %d driver calls on the way out", what, made-n)
	}
	if c.call == "cuMemHostAlloc" && verdict == served && now().fallbacks != x.before.fallbacks+1 {
		x.errorf("%s: memory that is not pinned was not counted", what)
	}
	x.row(c, f, verdict, r.err)
	x.afterwards(what, r, slices.Contains(giveBacks, c.call))
}

// ride runs with a fault. A machine that is too busy to keep the deadline is given a longer one.
func (x *table) ride(fault string, n int, f faultKind, c callAt) *ride {
	x.t.Helper()
	for limit := deadline; ; limit *= 3 {
		cudatest.Reset()
		x.before = now()
		r := &ride{program: x.program, weights: x.weights, others: x.others}
		if f.hang == 0 {
			cudatest.Fault(x.t, fault, n, f.code, 0)
			return r.run()
		}
		restore := limits(limit)
		cudatest.Fault(x.t, fault, n, f.code, f.hang)
		r.run()
		restore()
		if !r.strays(c) || limit > slow {
			if r.took > limit+slow {
				x.errorf("%s %d hangs: %v until an answer", fault, n, r.took)
			}
			return r
		}
		r.leave()
		letGo()
	}
}

// strays tells whether something else than the hanging call ran into the deadline; of a kernel the leg is not known.
func (r *ride) strays(c callAt) bool {
	var e *Error
	hung := errors.As(r.err, &e) && e.Code == codeHung && strings.HasPrefix(e.Call, c.call)
	return r.err != nil && (!hung || c.leg != "" && r.leg != c.leg)
}

func verdictOf(err error) string {
	switch {
	case err == nil:
		return served
	case errors.Is(err, engine.ErrPoisoned):
		return poisoned
	}
	return refused
}

// named holds an error to its promise: call, device, model and phase, as fields and in its text.
func (x *table) named(what string, r *ride, call string) {
	x.t.Helper()
	var e *Error
	if !errors.As(r.err, &e) {
		x.errorf("%s: no *Error: %v", what, r.err)
		return
	}
	device := "GPU 0 (Fake GPU)"
	if strings.HasPrefix(e.Phase, listingPhase) {
		device = "GPU 0"
	}
	text := r.err.Error()
	for _, part := range []string{e.Call, device, r.subject, e.Phase} {
		if part == "" || !strings.Contains(text, part) {
			x.errorf("%s: %q does not say %q", what, text, part)
		}
	}
	if !strings.HasPrefix(e.Call, call) || e.Device != device {
		x.errorf("%s: %#v", what, e)
	}
}

// afterwards holds the rest of the process to its promises: nothing wrong was answered, nothing is lost or reached that should not be.
func (x *table) afterwards(what string, r *ride, left bool) {
	x.t.Helper()
	if n := len(r.answers); n > len(x.answers) || !slices.EqualFunc(r.answers, x.answers[:n], bytes.Equal) || r.err == nil && n != len(x.answers) {
		x.errorf("%s: wrong answers", what)
	}
	switch verdict := verdictOf(r.err); {
	case verdict == refused && r.leg == loaded:
		if err := r.load(); err != nil {
			x.errorf("%s: then a second load: %v", what, err)
		} else if err := errors.Join(r.makeBatches(), r.steps()); err != nil || !slices.EqualFunc(r.answers, x.answers[:4], bytes.Equal) {
			x.errorf("%s: then a second load answers otherwise: %v", what, err)
		}
	case verdict == refused && r.leg == replaced: // the weights before are as they were
		before := len(r.answers)
		if err := r.steps(); err != nil || !slices.EqualFunc(r.answers[before:], x.answers[:4], bytes.Equal) {
			x.errorf("%s: then the weights before answer otherwise: %v", what, err)
		}
	case verdict == poisoned && r.leg != opening && r.leg != closing:
		x.dead(what, r)
	}
	held, ended := now(), r.backend != nil && r.backend.device.poisoned() != nil
	r.leave()
	lost := keptNow()
	if ended && now() != held {
		x.errorf("%s: memory of a poisoned device was given back: %+v, now %+v", what, held, now())
	}
	if after := now(); after.regions != x.before.regions+lost.regions || after.bytes != x.before.bytes+lost.bytes {
		x.errorf("%s: host memory was %+v, is %+v, %+v of it kept", what, x.before, after, lost)
	}
	if !errors.Is(r.err, engine.ErrPoisoned) {
		if lost.regions != 0 {
			x.errorf("%s: %+v kept for no poisoned device", what, lost)
		}
		if leaks := cudatest.Live().Leaks(); leaks != "" && !left {
			x.errorf("%s: left alive: %s", what, leaks)
		}
	}
	for _, v := range cudatest.Violations() {
		x.errorf("%s: %s", what, v)
	}
	letGo()
}

// dead holds a poisoned instance to giving its first cause at once, to every call, without the driver.
func (x *table) dead(what string, r *ride) {
	x.t.Helper()
	cause, calls, begin := r.backend.device.poisoned(), cudatest.Live().Calls, time.Now()
	if cause == nil || !strings.Contains(r.err.Error(), cause.Error()) {
		x.errorf("%s: the error is %v, the device's %v", what, r.err, cause)
		return
	}
	again := map[string]func() error{"Load": func() error { return (&ride{program: r.program, weights: r.weights, backend: r.backend}).load() }}
	if in := r.in; in != nil {
		page := make([]byte, in.Limits().Groups[0].PageBytes)
		again["NewBatch"] = func() error { _, err := in.NewBatch(); return err }
		again["Submit"] = func() error { return in.Submit(r.batch[0]) }
		again["Wait"] = in.Wait
		again["CopyPages"] = func() error { return in.CopyPages(1, []engine.PageCopy{{From: 1, To: 2}}) }
		again["Export"] = func() error { return waited(in.Export(1, 1, page)) }
		again["Import"] = func() error { return waited(in.Import(1, 1, page)) }
		again["Replace"] = func() error { _, err := in.Replace(r.weights, nil); return err }
		again["Retire"] = func() error { return in.Retire(1) }
		again["Close"] = in.Close
	}
	for name, call := range again {
		if err := call(); err == nil || !strings.HasSuffix(err.Error(), cause.Error()) || !errors.Is(err, engine.ErrPoisoned) {
			x.errorf("%s: then %s: %v", what, name, err)
		}
	}
	if made := cudatest.Live().Calls - calls; made != 0 || time.Since(begin) > slow {
		x.errorf("%s: then %d driver calls in %v", what, made, time.Since(begin))
	}
}

// stride thins out the hanging calls of a short test run; each costs its deadline.
func stride(f faultKind) int {
	if testing.Short() && f.hang > 0 {
		return 7
	}
	return 1
}

func TestFaultTable(t *testing.T) {
	x := clean(t)
	defer cudatest.Reset()
	for _, f := range faultKinds {
		for n := 1; n <= len(x.calls); n += stride(f) {
			x.at(n, f)
		}
	}
	x.kernels()
	order := map[string]int{opening: 1, loaded: 2, batched: 3, stepped: 4, paged: 5, replaced: 6, retired: 7, closing: 8}
	slices.SortStableFunc(x.rows, func(a, b row) int { return order[a.leg] - order[b.leg] })
	t.Logf("%d calls, %d kinds of fault", len(x.calls), len(faultKinds))
	if !testing.Short() {
		document(t, "../docs/GPU_FAULTS.md", x.String())
	}
}

// kernels lets each kernel run of the ride fail, or hang: an error comes with whatever waits for it.
func (x *table) kernels() {
	x.t.Helper()
	for _, f := range []faultKind{{"illegal address", 700, 0}, {"launch failure", 719, 0}, {"ECC", 214, 0}, {"no answer", 0, 4 * deadline}} {
		n := 1
		for ; ; n++ {
			if f.hang > 0 {
				n += 6
			}
			what := fmt.Sprintf("kernel %d, %s", n, f.name)
			r := x.ride("kernel/", n, f, callAt{call: "cu"})
			if r.err != nil {
				x.named(what, r, "cu")
				x.row(callAt{leg: r.leg, call: "a kernel"}, f, verdictOf(r.err), r.err)
			}
			if verdict := verdictOf(r.err); verdict == refused {
				x.errorf("%s: %s: %v", what, verdict, r.err)
			}
			x.afterwards(what, r, false)
			if r.err == nil {
				break
			}
		}
		if n < 30 {
			x.errorf("%s: %d kernels run only", f.name, n)
		}
	}
}

// The driver is opened once in a process: each fault there has a process of its own.
func TestFaultsOfOpening(t *testing.T) {
	for _, call := range []string{"cuDriverGetVersion", "cuInit"} {
		for _, f := range faultKinds {
			settings := fmt.Sprintf("fault=%s:1:%d:%d", call, f.code, min(f.hang, time.Minute).Milliseconds())
			begin := time.Now()
			text := child(t, "fail", cudatest.Environment(t, settings))
			machine := call == "cuInit" && f.code == 999 // which poisons nothing: see ErrMachine
			wantText(t, text, "GPU 0: ", "while opening the driver for tiny: ", fmt.Sprintf("poisoned: %v", f.code != 2 && !machine))
			if f.hang == 0 {
				wantText(t, text, call)
			}
			if took := time.Since(begin); took > 2*slow {
				t.Errorf("%s: %v", settings, took)
			}
		}
	}
}
