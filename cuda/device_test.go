//go:build cuda

package cuda

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"gorgonia.org/cu"

	"chimera/cuda/cudatest"
	"chimera/engine"
)

func testDevice(t *testing.T) *device {
	t.Helper()
	d, err := openDevice(0, "smol")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wantAlive fails if the device does not work, or leaves something behind.
func wantAlive(t *testing.T, d *device) {
	t.Helper()
	err := d.do("testing", func() error {
		p, err := d.memAlloc(1000)
		return errors.Join(err, d.memFree(p))
	})
	if err != nil {
		t.Error("the device should work:", err)
	}
	if err := d.close(); err != nil {
		t.Error(err)
	}
}

// tour makes every call there is, once, on a healthy device, and gives back what it took even when a call
// fails. What it computes is checked: pages are copied by a kernel, by a graph of it, and come back.
func tour(d *device) (err error) {
	return d.do("touring", func() error {
		w := &walk{d: d}
		defer w.back()
		return w.out()
	})
}

type walk struct {
	d    *device
	undo []func() error
}

func (w *walk) back() {
	for _, undo := range slices.Backward(w.undo) {
		_ = undo() // the tests look at what is left
	}
}

func (w *walk) later(f func() error) { w.undo = append(w.undo, f) }

// Where things lie in the memory that a walk copies through.
const (
	walkPage      = 1024
	walkBack      = 2048 // where the answer goes, which no copy reads
	walkArguments = 4096 // struct copy_pages_args, and behind it the pair 0 -> 1
	walkBytes     = 4200
)

// belongings are what a walk takes of its device.
type belongings struct {
	host, combined unsafe.Pointer
	memory         Pointer
	event          cu.Event
	module         cu.Module
	kernel         cu.Function
	stream, other  cu.Stream
}

// step is one call of a walk, and how what it made is given back.
type step struct{ call, undo func() error }

// take makes one of everything. Streams last, so that they go first: one that a failed call left in a capture would
// refuse the rest.
func (w *walk) take() (x belongings, err error) {
	d := w.d
	steps := []step{
		{func() error { x.host, err = d.hostAlloc(walkBytes, false); return err }, func() error { return d.hostFree(x.host) }},
		{func() error { x.combined, err = d.hostAlloc(4096, true); return err }, func() error { return d.hostFree(x.combined) }},
		{func() error { x.event, err = d.makeEvent(); return err }, func() error { return d.destroyEvent(x.event) }},
		{func() error { x.memory, err = d.memAlloc(walkBytes); return err }, func() error { return d.memFree(x.memory) }},
		{func() error { x.module, err = d.loadModule(kernelImage); return err }, func() error { return d.unload(x.module) }},
		{func() error { x.kernel, err = d.function(x.module, "copy_pages"); return err }, nil},
		{func() error { x.stream, err = d.makeStream(); return err }, func() error { return d.destroyStream(x.stream) }},
		{func() error { x.other, err = d.makeStream(); return err }, func() error { return d.destroyStream(x.other) }},
	}
	for _, s := range steps {
		if err := s.call(); err != nil {
			return x, err
		}
		if s.undo != nil {
			w.later(s.undo)
		}
	}
	return x, nil
}

// fill writes what the walk carries round, and the arguments of its kernel.
func (x *belongings) fill() []byte {
	b := unsafe.Slice((*byte)(x.host), walkBytes)
	for i := range walkPage {
		b[i] = byte(i * 7)
	}
	a := b[walkArguments:]
	binary.LittleEndian.PutUint64(a, uint64(x.memory))
	binary.LittleEndian.PutUint64(a[8:], walkPage)
	binary.LittleEndian.PutUint64(a[16:], uint64(x.memory)+walkArguments+64)
	binary.LittleEndian.PutUint32(a[24:], 1)
	binary.LittleEndian.PutUint32(a[64:], 0)
	binary.LittleEndian.PutUint32(a[68:], 1)
	return b
}

// out carries a page through each kind of call, and looks at what came back.
func (w *walk) out() error {
	d := w.d
	x, err := w.take()
	if err != nil {
		return err
	}
	b := x.fill()
	var g graph
	for _, call := range []func() error{
		func() error { return d.memsetZero(x.memory, walkBytes, x.stream) },
		func() error { return d.copyIn(x.memory, x.host, walkPage, x.stream) },
		func() error {
			return d.copyIn(x.memory+walkArguments, unsafe.Pointer(&b[walkArguments]), 100, x.stream)
		},
		func() error { return d.record(x.event, x.stream) },
		func() error { return d.streamWait(x.other, x.event) },
		func() error {
			return d.launch(x.kernel, [3]int{1, 1, 1}, [3]int{256, 1, 1}, x.other, x.memory+walkArguments)
		},
		func() error { return d.copyWithin(x.memory+2*walkPage, x.memory+walkPage, walkPage, x.other) },
		func() (err error) {
			g, err = d.capture(x.stream, func() error { return d.copyWithin(x.memory+3*walkPage, x.memory+2*walkPage, walkPage, x.stream) })
			if err == nil {
				w.later(func() error { return d.destroyGraph(g) })
			}
			return err
		},
		func() error { return d.record(x.event, x.other) },
		func() error { return d.streamWait(x.stream, x.event) },
		func() error { return d.launchGraph(g, x.stream) },
		func() error { return d.copyOut(unsafe.Pointer(&b[walkBack]), x.memory+3*walkPage, walkPage, x.stream) },
		func() error { return d.record(x.event, x.stream) },
		func() error { return w.poll(x.event) },
		func() error { return d.await(x.event) },
		func() error { return d.synchronize(x.other) },
		func() error { _, _, err := d.memInfo(); return err },
	} {
		if err := call(); err != nil {
			return err
		}
	}
	for i := range walkPage {
		if b[walkBack+i] != byte(i*7) {
			return fmt.Errorf("byte %d is %d", i, b[walkBack+i])
		}
	}
	return nil
}

// poll asks until the event is done.
func (w *walk) poll(e cu.Event) error {
	for {
		if done, err := w.d.query(e); done || err != nil {
			return err
		}
	}
}

func TestTour(t *testing.T) {
	cudatest.Check(t)
	d := testDevice(t)
	for range 2 {
		if err := tour(d); err != nil {
			t.Fatal(err)
		}
	}
	if u := d.usage(); u != (usage{}) {
		t.Errorf("%+v", u)
	}
	wantAlive(t, d)
	if err := d.do("testing", func() error { return nil }); err == nil || !strings.Contains(err.Error(), "closed: cannot start testing smol") {
		t.Error(err)
	}
}

// Every call of the tour fails once with each code. The error names call, device, model and phase; sticky
// codes poison, and then no call reaches the driver; the others leave a device that works and nothing behind.
func TestFaultAtEveryCall(t *testing.T) {
	cudatest.Reset()
	d := testDevice(t)
	before := cudatest.Live().Calls
	if err := tour(d); err != nil {
		t.Fatal(err)
	}
	calls := cudatest.Live().Calls - before
	wantAlive(t, d)
	if calls < 35 {
		t.Fatalf("the tour makes %d calls only", calls)
	}
	for _, code := range []int{2, 1, 46, 214, 700, 719, 999} {
		for n := 1; n <= calls; n++ {
			faultAt(t, n, code)
		}
	}
}

func faultAt(t *testing.T, n, code int) {
	t.Helper()
	cudatest.Reset()
	d := testDevice(t)
	cudatest.Fault(t, "*", n, code, 0)
	err := tour(d)
	if err == nil { // the fault was at a call that gives back, whose error the tour drops
		if code == 2 || code == 1 {
			cudatest.Reset()
			d.stop()
		} else if d.poisoned() == nil {
			t.Errorf("call %d, code %d: no error", n, code)
		}
		return
	}
	var e *Error
	if !errors.As(err, &e) || e.Code != code || e.Device != "GPU 0 (Fake GPU)" || e.Model != "smol" || e.Phase != "touring" || !strings.HasPrefix(e.Call, "cu") {
		t.Errorf("call %d, code %d: %#v", n, code, err)
	}
	if errors.Is(err, engine.ErrPoisoned) != sticky[code] || errors.Is(err, ErrOutOfMemory) != (code == 2) {
		t.Errorf("call %d, code %d: poisoned %v, %v", n, code, errors.Is(err, engine.ErrPoisoned), err)
	}
	if !sticky[code] {
		if u := d.usage(); u != (usage{}) {
			t.Errorf("call %d, code %d: left %+v", n, code, u)
		}
		wantAlive(t, d)
		return
	}
	calls := cudatest.Live().Calls
	again := tour(d)
	if closed := d.close(); !errors.Is(again, err) && again.Error() != err.Error() || closed == nil || cudatest.Live().Calls != calls {
		t.Errorf("call %d, code %d: then %v, close %v, %d calls more", n, code, again, closed, cudatest.Live().Calls-calls)
	}
}

// Every sticky code poisons, no other that the driver's header has does.
func TestStickyCodes(t *testing.T) {
	for code := range 1000 {
		e := &Error{Code: code}
		if errors.Is(e, engine.ErrPoisoned) != sticky[code] {
			t.Errorf("%d", code)
		}
	}
	for _, healthy := range []int{1, 2, 100, 200, 209, 218, 400, 500, 600, 701, 712, 801, 900, 901} {
		if sticky[healthy] {
			t.Errorf("%d poisons", healthy)
		}
	}
}

// A call that does not come back poisons at the deadline, and the error names it; whoever waits for the
// device is let go, and the thread ends when the call does.
func TestHang(t *testing.T) {
	cudatest.Reset()
	defer cudatest.Reset()
	threads := runtime.NumGoroutine()
	d := testDevice(t)
	d.limit = 100 * time.Millisecond
	cudatest.Fault(t, "cuMemGetInfo_v2", 1, 0, 600*time.Millisecond)
	waiting := make(chan error, 1)
	begin := time.Now()
	go func() {
		time.Sleep(20 * time.Millisecond)
		waiting <- d.doWithin(time.Minute, "waiting for", func() error { return nil })
	}()
	err := d.do("looking at", func() error { _, _, err := d.memInfo(); return err })
	if took := time.Since(begin); took < d.limit || took > 500*time.Millisecond {
		t.Errorf("returned after %v", took)
	}
	const want = "GPU 0 (Fake GPU): cuMemGetInfo while looking at smol: no answer within 100ms"
	if err == nil || err.Error() != want || !errors.Is(err, engine.ErrPoisoned) {
		t.Errorf("%v", err)
	}
	for _, later := range []error{<-waiting, d.do("x", func() error { panic("must not run") }), d.close()} {
		if later != err {
			t.Errorf("later: %v", later)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > threads; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the thread did not end")
		}
	}
}

// A device that is busy within its limits refuses after one's own limit, and is not poisoned.
func TestBusy(t *testing.T) {
	cudatest.Check(t)
	d := testDevice(t)
	release, running := make(chan bool), make(chan bool)
	first := make(chan error, 1)
	go func() {
		first <- d.doWithin(time.Minute, "compiling kernels for", func() error {
			close(running)
			<-release
			return nil
		})
	}()
	<-running
	err := d.doWithin(20*time.Millisecond, "looking at", func() error { panic("must not run") })
	if err == nil || errors.Is(err, engine.ErrPoisoned) {
		t.Error(err)
	} else {
		wantText(t, err.Error(), "GPU 0 (Fake GPU): busy for 20ms with compiling kernels for: cannot start looking at smol")
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
	wantAlive(t, d)
}

func TestErrorText(t *testing.T) {
	cudatest.Reset()
	defer cudatest.Reset()
	d := testDevice(t)
	err := d.do("loading", func() error { _, err := d.memAlloc(512 << 30); return err })
	if !errors.Is(err, ErrOutOfMemory) || errors.Is(err, engine.ErrPoisoned) {
		t.Error(err)
	} else {
		wantText(t, err.Error(), "GPU 0 (Fake GPU): cuMemAlloc of 512.0 GiB while loading smol: out of memory")
	}
	err = d.do("loading", func() error { _, err := d.loadModule("no image"); return err })
	if err == nil {
		t.Error("no error")
	} else {
		wantText(t, err.Error(), "GPU 0 (Fake GPU): cuModuleLoadData of 8 bytes while loading smol: ")
	}
	err = d.do("loading", func() error {
		m, err := d.loadModule(kernelImage)
		if err != nil {
			return err
		}
		_, err = d.function(m, "no_kernel")
		return errors.Join(err, d.unload(m))
	})
	if err == nil {
		t.Error("no error")
	} else {
		wantText(t, err.Error(), "cuModuleGetFunction(no_kernel) while loading smol: ")
	}
	wantAlive(t, d)
}

// What is left when a device is closed is named, once.
func TestLeakIsNamed(t *testing.T) {
	cudatest.Reset()
	defer cudatest.Reset()
	d := testDevice(t)
	err := d.do("leaking", func() error {
		_, err := d.memAlloc(1234)
		_, err2 := d.makeEvent()
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err == nil || !strings.Contains(err.Error(), "not given back: 1234 bytes on the device, 0 pinned and 0 registered on the host, 0 streams, 1 events") {
		t.Error(err)
	}
}

// A failure inside a capture ends the capture: the stream takes work as before.
func TestCaptureFails(t *testing.T) {
	cudatest.Reset()
	d := testDevice(t)
	var stream cu.Stream
	wanted := errors.New("wanted")
	err := d.do("capturing", func() (err error) {
		if stream, err = d.makeStream(); err != nil {
			return err
		}
		if _, err := d.capture(stream, func() error { return wanted }); !errors.Is(err, wanted) {
			t.Errorf("%v", err)
		}
		if _, err := d.capture(stream, func() error { return d.synchronize(stream) }); err == nil {
			t.Error("waiting inside a capture is not refused")
		}
		g, err := d.capture(stream, func() error { return nil })
		return errors.Join(err, d.synchronize(stream), d.destroyGraph(g), d.destroyStream(stream))
	})
	if err != nil {
		t.Error(err)
	}
	if u := d.usage(); u != (usage{}) {
		t.Errorf("%+v", u)
	}
	wantAlive(t, d)
}
