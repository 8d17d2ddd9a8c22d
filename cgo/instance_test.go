//go:build cgo

package cgo

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/hostmem"
)

// This file tests the parts of an instance: who shares pages and until when, which uses of a page exclude each other,
// generations, room, and the end. Its program is as small as one can be with a group of each kind; what steps compute
// is tested in cgotest.

const tinyWidth, tinyVocab, tinyPages = 32, 40, 8

// tinyProgram has a group of pages that it writes, one of slots, and one that another program writes.
func tinyProgram(t *testing.T) (*engine.Program, enginetest.Tensors) {
	t.Helper()
	p, w := engine.NewBuilder("tiny", tinyVocab, 64), enginetest.Tensors{}
	full := p.Group(engine.Group{Name: "full", Layers: 1, Mask: engine.Causal, Heads: 1, KeyWidth: tinyWidth, ValueWidth: tinyWidth})
	p.Group(engine.Group{Name: "state", Layers: 1, State: 5})
	cross := p.Group(engine.Group{Name: "cross", Layers: 1, Mask: engine.Cross, Heads: 1, KeyWidth: tinyWidth, ValueWidth: tinyWidth})
	x, y, rows := p.Value("x", tinyWidth), p.Value("y", tinyWidth), p.OutputValue("rows", tinyWidth)
	p.Add(engine.Embed{Table: p.Weight("table", tinyVocab, tinyWidth), Scale: 1, Out: x})
	p.Add(engine.Store{Group: full, Layer: 1, K: x, V: x})
	p.Add(engine.Attend{Group: full, Layer: 1, Q: x, Out: y, Heads: 1, Scale: 1})
	p.Add(engine.Attend{Group: cross, Layer: 1, Q: y, Out: x, Heads: 1, Scale: 1})
	p.Add(engine.Rows{In: x, Out: rows})
	p.Add(engine.Head{In: rows, Weight: p.Weight("head", tinyVocab, tinyWidth), Scale: 1})
	program, err := p.Program()
	if err != nil {
		t.Fatal(err)
	}
	w.Put("table", engine.F32, tinyVocab, tinyWidth, make([]byte, tinyVocab*tinyWidth*4))
	w.Put("head", engine.F16, tinyVocab, tinyWidth, make([]byte, tinyVocab*tinyWidth*2))
	return program, w
}

var tinyOptions = engine.LoadOptions{Policy: engine.Policy{KV: engine.F16}, Pages: []int{tinyPages, tinyPages, tinyPages},
	MaxTokens: 32, MaxSequences: 2, MaxOutputs: 2, MaxContext: 64}

func loadTiny(t *testing.T, b *Backend, o engine.LoadOptions) *instance {
	t.Helper()
	p, w := tinyProgram(t)
	in, err := b.Load(p, w, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in.(*instance)
}

// tinyBatch computes positions 20 to 35 of a sequence: it reads pages 1 to 3 of "full" and writes 2 and 3, reads slot 4 and
// writes slot 5, reads page 6 of "cross".
func tinyBatch(t *testing.T, in *instance) *engine.Batch {
	t.Helper()
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	b.Generation = in.Generation()
	tables := []engine.PageTable{{Pages: []int32{1, 2, 3}}, {Pages: []int32{4, 5}}, {Pages: []int32{6}, Length: 9}}
	if _, err := b.AddSequence(make([]int32, 16), 20, tables); err != nil {
		t.Fatal(err)
	}
	return b
}

func refused(t *testing.T, what, field string, err error) {
	t.Helper()
	if e := new(engine.BatchError); !errors.As(err, &e) || e.Field != field {
		t.Errorf("%s: %v", what, err)
	}
}

// What a batch indexes was checked against the limits of the instance that made it: no other takes it.
func TestBatchesOfOthersAreRefused(t *testing.T) {
	device := openPacked(t, 2)
	in, wide := loadTiny(t, device, tinyOptions), tinyOptions
	wide.Pages = []int{4000, 4000, 4000}
	refused(t, "another instance's", "batch", in.Submit(tinyBatch(t, loadTiny(t, device, wide))))
	refused(t, "nobody's", "batch", in.Submit(engine.NewBatch(in.Limits(), engine.BatchArrays{})))
	if b := tinyBatch(t, in); in.Submit(b) != nil || in.Wait() != nil {
		t.Error("its own is refused")
	}
}

// pageUse is what the batch above does with a page.
type pageUse struct {
	group engine.GroupID
	page  int32
	reads bool
	write bool
}

var tinyUses = []pageUse{
	{1, 0, false, false}, {1, 1, true, false}, {1, 2, true, true}, {1, 3, true, true}, {1, 4, false, false},
	{2, 4, true, false}, {2, 5, true, true}, {2, 3, false, false}, {3, 6, true, false}, {3, 1, false, false},
}

func (u pageUse) id(in *instance) pageID { return pageID{in.groups[u.group-1], u.page} }

// A step is refused that writes a page which is exported, or uses one that is imported; no other.
func TestSubmitMindsTransfers(t *testing.T) {
	in := loadTiny(t, openPacked(t, 2), tinyOptions)
	b := tinyBatch(t, in)
	for _, u := range tinyUses {
		for _, c := range []struct {
			transfer int
			refused  bool
		}{{1, u.write}, {2, u.write}, {importing, u.reads}} {
			in.cache.transfers[u.id(in)] = c.transfer
			err := in.Submit(b)
			if c.refused {
				refused(t, "a page in transfer", "pages", err)
			} else if err != nil {
				t.Errorf("page %d of group %d, %d transfers: %v", u.page, u.group, c.transfer, err)
			} else if err := in.Wait(); err != nil {
				t.Error(err)
			}
			delete(in.cache.transfers, u.id(in))
		}
	}
	if n := in.generations.All()[0].users; n != 1 {
		t.Errorf("refused steps still use their weights: %d users", n)
	}
}

// Transfers and copies exclude each other and the step under way as readers and writers do.
func TestTransfersMindEachOther(t *testing.T) {
	in := loadTiny(t, openPacked(t, 2), tinyOptions)
	b, free := tinyBatch(t, in), int32(7)
	try := func(u pageUse) (exported, imported, from, to error) {
		buffer := make([]byte, in.limits.Groups[u.group-1].PageBytes)
		wait := func(ticket *engine.Ticket, err error) error {
			if err == nil {
				err = ticket.Wait()
			}
			return err
		}
		exported, imported = wait(in.Export(u.group, u.page, buffer)), wait(in.Import(u.group, u.page, buffer))
		from = in.CopyPages(u.group, []engine.PageCopy{{From: u.page, To: free}})
		return exported, imported, from, in.CopyPages(u.group, []engine.PageCopy{{From: free, To: u.page}})
	}
	check := func(u pageUse, what string, mayRead, mayWrite bool) {
		t.Helper()
		exported, imported, from, to := try(u)
		for _, c := range []struct {
			may bool
			err error
		}{{mayRead, exported}, {mayRead, from}, {mayWrite, imported}, {mayWrite, to}} {
			if !c.may {
				refused(t, what, "pages", c.err)
			} else if c.err != nil {
				t.Errorf("%s, page %d of group %d: %v", what, u.page, u.group, c.err)
			}
		}
	}
	begun, finish := make(chan struct{}), make(chan struct{})
	compute := in.step.compute
	in.step.compute = func() bool { close(begun); <-finish; return compute() }
	if err := in.Submit(b); err != nil {
		t.Fatal(err)
	}
	<-begun
	for _, u := range tinyUses {
		check(u, "a step under way", !u.write, !u.reads)
	}
	close(finish)
	if err := in.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, u := range tinyUses {
		check(u, "nothing under way", true, true)
		in.cache.transfers[u.id(in)] = 1
		check(u, "an export", true, false)
		in.cache.transfers[u.id(in)] = importing
		check(u, "an import", false, false)
		delete(in.cache.transfers, u.id(in))
	}
	if len(in.cache.transfers) > 0 || len(in.cache.steps) > 0 {
		t.Errorf("left over: %v, %v", in.cache.transfers, in.cache.steps)
	}
}

// A copy that is refused has copied nothing.
func TestCopyPagesIsWhole(t *testing.T) {
	in := loadTiny(t, openPacked(t, 2), tinyOptions)
	in.groups[0].page(0)[0] = 1
	in.cache.transfers[pageID{in.groups[0], 3}] = 1
	refused(t, "the second of two copies", "pages", in.CopyPages(1, []engine.PageCopy{{From: 0, To: 1}, {From: 0, To: 3}}))
	if in.groups[0].page(1)[0] != 0 {
		t.Error("the first was made")
	}
	clear(in.cache.transfers)
	if err := in.CopyPages(1, []engine.PageCopy{{From: 0, To: 1}, {From: 1, To: 3}}); err != nil || in.groups[0].page(3)[0] != 1 {
		t.Errorf("two copies: %v", err)
	}
	if err := in.CopyPages(1, nil); err != nil {
		t.Error(err)
	}
}

// What one writes another reads; the memory stays until both are closed.
func TestPagesAreShared(t *testing.T) {
	before := hostmem.Usage()[hostmem.KV].Bytes
	device := openPacked(t, 2)
	first := loadTiny(t, device, tinyOptions)
	one := hostmem.Usage()[hostmem.KV].Bytes - before
	o := tinyOptions
	o.Share, o.Pages = first, nil
	second := loadTiny(t, device, o)
	if p := second.Plan(); p.KVBytes != 0 || p.Groups[0].Pages != tinyPages || second.Limits().Groups[2].Pages != tinyPages {
		t.Errorf("a plan of shared pages: %d bytes, %+v", p.KVBytes, p.Groups)
	}
	page := bytes.Repeat([]byte{3, 7}, int(first.limits.Groups[0].PageBytes)/2)
	ticket, err := first.Import(1, 5, page)
	if err != nil || ticket.Wait() != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(page))
	if ticket, err = second.Export(1, 5, got); err != nil || ticket.Wait() != nil || !bytes.Equal(got, page) {
		t.Errorf("the page reads otherwise, %v", err)
	}
	if held := hostmem.Usage()[hostmem.KV].Bytes - before; held != one {
		t.Errorf("%d bytes are held, one instance has %d", held, one)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if held := hostmem.Usage()[hostmem.KV].Bytes - before; held != 0 {
		t.Errorf("%d bytes are held behind the last instance", held)
	}
}

// Who sees what is each program's own, whoever has the pages.
func TestSharersKeepTheirMasks(t *testing.T) {
	device := openPacked(t, 2)
	first := loadTiny(t, device, tinyOptions)
	p, w := tinyProgram(t)
	p.Groups[0].Mask, p.Groups[0].Window = engine.Window, 5
	o := tinyOptions
	o.Share = first
	in, err := device.Load(p, w, o)
	if err != nil {
		t.Fatal(err)
	}
	second := in.(*instance)
	defer func() {
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	}()
	if g := first.c.groups; g.mask != 1 || g.window != 0 {
		t.Errorf("the pages' owner has mask %d, window %d", g.mask, g.window)
	}
	if g := second.c.groups; g.mask != 2 || g.window != 5 || g.pages != first.c.groups.pages {
		t.Errorf("the other has mask %d, window %d, or other pages", g.mask, g.window)
	}
}

func TestSharingIsRefused(t *testing.T) {
	device := openPacked(t, 2)
	in, elsewhere := loadTiny(t, device, tinyOptions), loadTiny(t, openPacked(t, 2), tinyOptions)
	closed := loadTiny(t, device, tinyOptions)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	p, w := tinyProgram(t)
	other := func(change func(g *engine.Group)) *engine.Program {
		q := *p
		q.Groups = slices.Clone(p.Groups)
		change(&q.Groups[1])
		return &q
	}
	q8 := tinyOptions
	q8.Policy.KV = engine.Q8_0
	for _, c := range []struct {
		what  string
		p     *engine.Program
		o     engine.LoadOptions
		share engine.Instance
	}{
		{"an instance of another device", p, tinyOptions, elsewhere},
		{"a closed instance", p, tinyOptions, closed},
		{"an instance of another kind", p, tinyOptions, enginetest.New(engine.Limits{})},
		{"another KV type", p, q8, in},
		{"another name", other(func(g *engine.Group) { g.Name = "states" }), tinyOptions, in},
		{"another size", other(func(g *engine.Group) { g.State = 6 }), tinyOptions, in},
		{"more layers", other(func(g *engine.Group) { g.Layers = 2 }), tinyOptions, in},
	} {
		c.o.Share = c.share
		if _, err := device.Load(c.p, w, c.o); err == nil || !strings.HasPrefix(err.Error(), "load option Share: ") {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// A generation is served until it is retired and its last step is done.
func TestGenerationsComeAndGo(t *testing.T) {
	before := hostmem.Usage()[hostmem.Weights].Bytes
	held := func() int64 { return hostmem.Usage()[hostmem.Weights].Bytes - before }
	in := loadTiny(t, openPacked(t, 2), tinyOptions)
	_, w := tinyProgram(t)
	one, digest := held(), in.Digest(1)
	w.Put("head", engine.Q8_0, tinyVocab, tinyWidth, make([]byte, tinyVocab*34))
	var told []int64
	g, err := in.Replace(w, func(done, total int64) { told = append(told, done, total) })
	if err != nil || g != 2 || in.Generation() != 2 {
		t.Fatalf("generation %d, %v", g, err)
	}
	if n := len(told); n == 0 || told[n-1] != told[n-2] {
		t.Errorf("progress: %v", told)
	}
	if in.Digest(2) == digest || in.Digest(2) == "" || in.Digest(1) != digest || in.Digest(3) != "" {
		t.Errorf("digests %q and %q", in.Digest(1), in.Digest(2))
	}
	if !strings.Contains(in.Plan().Phases[len(in.Plan().Phases)-1].Kernel, "q8_0") {
		t.Error("the plan is not that of the newest generation")
	}
	two := held()
	refused(t, "the newest", "generation", in.Retire(2))
	refused(t, "one that never was", "generation", in.Retire(3))
	old := tinyBatch(t, in)
	old.Generation = 1
	begun, finish := make(chan struct{}), make(chan struct{})
	compute := in.step.compute
	in.step.compute = func() bool { close(begun); <-finish; return compute() }
	if err := in.Submit(old); err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := in.Retire(1); err != nil || held() != two {
		t.Errorf("retired during its step: %d bytes of %d, %v", held(), two, err)
	}
	close(finish)
	if err := in.Wait(); err != nil || held() != two-one {
		t.Errorf("behind its step: %d bytes, not %d, %v", held(), two-one, err)
	}
	in.step.compute = compute
	refused(t, "a second time", "generation", in.Retire(1))
	refused(t, "a step of it", "generation", in.Submit(old))
	for _, id := range []engine.Generation{0, -1, 3} {
		old.Generation = id
		refused(t, "a step of none", "generation", in.Submit(old))
	}
	if old.Generation = 2; in.Submit(old) != nil || in.Wait() != nil {
		t.Error("the newest is not served")
	}
}

func TestReplaceNeedsRoom(t *testing.T) {
	device := openPacked(t, 2)
	in := loadTiny(t, device, tinyOptions)
	_, w := tinyProgram(t)
	plan := in.Plan()
	left := plan.WeightBytes + plan.StagingBytes - 1
	device.available = func() (int64, string) { return left, "the test" }
	none := new(engine.NoRoomError)
	if _, err := in.Replace(w, nil); !errors.As(err, &none) || none.Need != left+1 || none.Available != left || none.Bound != "the test" {
		t.Errorf("one byte short: %v", err)
	}
	left++
	if g, err := in.Replace(w, nil); err != nil || g != 2 {
		t.Errorf("room for it: %v", err)
	}
	left = 0
	if _, err := in.Replace(w, nil); !errors.As(err, &none) || none.Available != 0 {
		t.Errorf("no room at all: %v", err)
	}
	device.available = func() (int64, string) { return 0, "" }
	if g, err := in.Replace(w, nil); err != nil || g != 3 {
		t.Errorf("room that is not known: %v", err)
	}
}

// What a load has not taken yet is not there for another.
func TestLoadsClaimTheirRoom(t *testing.T) {
	device := openPacked(t, 2)
	in, other := loadTiny(t, device, tinyOptions), loadTiny(t, device, tinyOptions)
	p, w := tinyProgram(t)
	plan := in.Plan()
	need, none := plan.WeightBytes+plan.StagingBytes, new(engine.NoRoomError)
	room := need + need/2
	device.available = func() (int64, string) { return room, "the test" }
	first, err := device.claim(need) // by a load that has just begun
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Replace(w, nil); !errors.As(err, &none) || none.Available != room-need {
		t.Errorf("two of %d bytes in %d: %v", need, room, err)
	}
	o := tinyOptions
	device.available = func() (int64, string) { return need + plan.TotalBytes() - 1, "the test" }
	if _, err := device.Load(p, w, o); !errors.As(err, &none) {
		t.Errorf("a load of %d bytes in one less: %v", plan.TotalBytes(), err)
	}
	device.available = func() (int64, string) { return room, "the test" }
	first.progress(nil)(1, 2)
	if left, _ := device.Available(); left != room-need/2 {
		t.Errorf("%d bytes are left of %d beside the half of a load of %d", left, room, need)
	}
	first.release()
	progress := func(done, total int64) {
		want := room - need + int64(float64(need)*float64(done)/float64(total))
		if left, _ := device.Available(); left != want {
			t.Errorf("%d bytes are left of %d beside a load that has read %d of %d", left, room, done, total)
		}
	}
	if _, err := in.Replace(w, progress); err != nil {
		t.Fatal(err)
	}
	broken := enginetest.Tensors{"table": w["table"], "head": w["head"]}
	head := broken["head"]
	head.Data = head.Data[:2]
	broken["head"] = head
	if _, err := other.Replace(broken, nil); err == nil || errors.As(err, &none) {
		t.Errorf("a file that ends too early: %v", err)
	}
	if left, _ := device.Available(); left != room {
		t.Errorf("%d bytes of %d are left behind the loads", left, room)
	}
}

// Whatever fails of a load gives all back and leaves the instance as it was.
func TestFailedLoadsGiveBack(t *testing.T) {
	device := openPacked(t, 2)
	before := hostmem.Usage()
	p, w := tinyProgram(t)
	broken := map[string]func(w enginetest.Tensors){
		"a tensor lacks": func(w enginetest.Tensors) { delete(w, "head") },
		"a shape": func(w enginetest.Tensors) {
			w.Put("head", engine.F32, tinyVocab, tinyWidth-1, make([]byte, tinyVocab*(tinyWidth-1)*4))
		},
		"a file's end": func(w enginetest.Tensors) {
			head := w["head"]
			head.Data = head.Data[:len(head.Data)-2]
			w["head"] = head
		},
	}
	for what, spoil := range broken {
		spoilt := enginetest.Tensors{"table": w["table"], "head": w["head"]}
		spoil(spoilt)
		if _, err := device.Load(p, spoilt, tinyOptions); !errors.Is(err, engine.ErrModelFile) {
			t.Errorf("%s: %v", what, err)
		}
		if after := hostmem.Usage(); !slices.Equal(after, before) {
			t.Errorf("%s: memory %+v, before %+v", what, after, before)
		}
		in := loadTiny(t, device, tinyOptions)
		if _, err := in.Replace(spoilt, nil); !errors.Is(err, engine.ErrModelFile) || in.Generation() != 1 {
			t.Errorf("%s: replaced, %v", what, err)
		}
		if b := tinyBatch(t, in); in.Submit(b) != nil || in.Wait() != nil {
			t.Errorf("%s: the instance does not serve any more", what)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if after := hostmem.Usage(); !slices.Equal(after, before) {
			t.Errorf("%s: memory %+v behind a replacement, before %+v", what, after, before)
		}
	}
}

// Close waits for a copy to or from its pages, which would else write to memory that is gone.
func TestCloseWaitsForTransfers(t *testing.T) {
	in := loadTiny(t, openPacked(t, 1), tinyOptions)
	in.cache.copies.Add(1)
	closed := make(chan error)
	go func() { closed <- in.Close() }()
	select {
	case <-closed:
		t.Fatal("closed under a transfer")
	case <-time.After(20 * time.Millisecond):
	}
	in.cache.copies.Done()
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// Close does not wait for a background step that waits for others.
func TestCloseWithdraws(t *testing.T) {
	device := openPacked(t, 1)
	busy, in := loadTiny(t, device, tinyOptions), loadTiny(t, device, tinyOptions)
	begun, finish := make(chan struct{}), make(chan struct{})
	compute := busy.step.compute
	busy.step.compute = func() bool { close(begun); <-finish; return compute() }
	if err := busy.Submit(tinyBatch(t, busy)); err != nil {
		t.Fatal(err)
	}
	<-begun
	b := tinyBatch(t, in)
	b.Background = true
	if err := in.Submit(b); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- in.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Close waits for a step that another's is in the way of")
	}
	close(finish)
	if err := busy.Wait(); err != nil {
		t.Error(err)
	}
}

// Close waits for the step under way; all that is asked behind it is refused, another Close harmless.
func TestTheEnd(t *testing.T) {
	before := hostmem.Usage()
	device, err := Open(Options{Threads: 2, ISA: "auto"})
	if err != nil {
		t.Fatal(err)
	}
	in := loadTiny(t, device, tinyOptions)
	if err := device.Close(); err == nil {
		t.Error("the device was closed with an instance on it")
	}
	b := tinyBatch(t, in)
	computed, compute := false, in.step.compute
	in.step.compute = func() bool { defer func() { computed = true }(); return compute() }
	if err := in.Submit(b); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(in.Close(), in.Close()); err != nil || !computed {
		t.Errorf("closed, the step computed: %v, %v", computed, err)
	}
	if after := hostmem.Usage(); !slices.Equal(after, before) {
		t.Errorf("memory %+v, before %+v", after, before)
	}
	buffer := make([]byte, in.limits.Groups[0].PageBytes)
	for what, err := range map[string]error{
		"Submit": in.Submit(b), "NewBatch": second(in.NewBatch()), "CopyPages": in.CopyPages(1, []engine.PageCopy{{}}), "Export": second(in.Export(1, 0, buffer)),
		"Import": second(in.Import(1, 0, buffer)), "Replace": second(in.Replace(nil, nil)), "Retire": in.Retire(1), "Wait": in.Wait(),
	} {
		if err == nil {
			t.Errorf("%s of a closed instance", what)
		}
	}
	if in.Plan() == nil || in.Limits().Vocab != tinyVocab || in.Digest(1) == "" {
		t.Error("a closed instance no longer says what it was")
	}
	if err := errors.Join(device.Close(), device.Close()); err != nil {
		t.Error(err)
	}
	p, w := tinyProgram(t)
	if _, err := device.Load(p, w, tinyOptions); err == nil {
		t.Error("a closed device loaded a model")
	}
}
