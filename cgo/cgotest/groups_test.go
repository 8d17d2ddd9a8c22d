//go:build cgo

package cgotest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"chimera/cgo"
	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file runs steps of programs with several KV groups of every kind: whatever the batch, the chunks, the
// threads, the instruction set, and what became of pages that a window has passed, the bytes are the same.

const (
	groupsWidth, groupsVocab, groupsContext = 64, 131, 320
	groupsPages                             = 64 // of each group
)

// groupsBuilder states programs of small layers, each over a group of its own kind.
type groupsBuilder struct {
	*engine.Builder
	weights stepWeights
	x, h    engine.ValueID
}

func newGroupsBuilder() *groupsBuilder {
	b := &groupsBuilder{Builder: engine.NewBuilder("groups", groupsVocab, groupsContext), weights: stepWeights{enginetest.Tensors{}}}
	b.x, b.h = b.Value("x", groupsWidth), b.Value("h", groupsWidth)
	b.Add(engine.Embed{Table: b.weight("embed", 1, groupsVocab, groupsWidth), Scale: 1, Out: b.x})
	return b
}

// weight declares a random tensor; kind is an index into blockTypes.
func (b *groupsBuilder) weight(name string, kind, rows, cols int) engine.WeightID {
	b.weights.add(name, blockTypes[kind], rows, cols)
	return b.Weight(name, rows, cols)
}

func (b *groupsBuilder) product(name string, in engine.ValueID, cols int, out engine.ValueID, rows int, residual engine.ValueID) {
	b.Add(engine.Linears{In: in, Outputs: []engine.Linear{{Weight: b.weight(name, 7, rows, cols), Out: out, Residual: residual}}})
}

// store normalises x and stores what it gives to a layer of the group.
func (b *groupsBuilder) store(id engine.GroupID, g engine.Group, layer int, rope *engine.Rope) {
	name := fmt.Sprintf("%s.%d.", g.Name, layer)
	k, v := b.Value(name+"k", g.Heads*g.KeyWidth), engine.NoValue
	b.Add(engine.Norm{Kind: engine.RMSNorm, Gamma: b.weight(name+"norm", 0, 1, groupsWidth), Epsilon: 1e-5, In: b.x, Out: b.h})
	b.product(name+"k", b.h, groupsWidth, k, g.Heads*g.KeyWidth, engine.NoValue)
	if !g.Latent {
		v = b.Value(name+"v", g.Heads*g.ValueWidth)
		b.product(name+"v", b.h, groupsWidth, v, g.Heads*g.ValueWidth, engine.NoValue)
	}
	b.Add(engine.Store{Group: id, Layer: layer, K: k, V: v, Norm: b.weight(name+"knorm", 0, 1, g.KeyWidth), Epsilon: 1e-6, Rope: rope})
}

// attend adds to x what a layer of the group gives, with six query heads.
func (b *groupsBuilder) attend(id engine.GroupID, g engine.Group, layer int, rope *engine.Rope) {
	b.attendBy(6, id, g, layer, rope)
}

func (b *groupsBuilder) attendBy(heads int, id engine.GroupID, g engine.Group, layer int, rope *engine.Rope) {
	name := fmt.Sprintf("%s.%d.", g.Name, layer)
	q, a := b.Value(name+"q", heads*g.KeyWidth), b.Value(name+"a", heads*g.ValueWidth)
	b.Add(engine.Norm{Kind: engine.RMSNorm, In: b.x, Out: b.h, Epsilon: 1e-5})
	b.product(name+"q", b.h, groupsWidth, q, heads*g.KeyWidth, engine.NoValue)
	b.Add(engine.Attend{Group: id, Layer: layer, Q: q, Out: a, Heads: heads, Scale: 0.2, Norm: b.weight(name+"qnorm", 0, 1, g.KeyWidth),
		Epsilon: 1e-6, Rope: rope})
	b.Add(engine.Linears{In: a, Outputs: []engine.Linear{{Weight: b.weight(name+"o", 0, groupsWidth, heads*g.ValueWidth), Out: b.x, Residual: b.x}}})
}

func (b *groupsBuilder) head() {
	last := b.OutputValue("last", groupsWidth)
	b.Add(engine.Rows{In: b.x, Out: last})
	b.Add(engine.Norm{Kind: engine.LayerNorm, In: last, Out: last, Epsilon: 1e-5})
	b.Add(engine.Head{In: last, Weight: b.weight("head", 7, groupsVocab, groupsWidth), Scale: 0.1})
}

func (b *groupsBuilder) program(t *testing.T) *engine.Program {
	t.Helper()
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func rope(dim int, style engine.RopeStyle) *engine.Rope {
	return &engine.Rope{Style: style, Dim: dim, Base: 10000, Scale: 1, Magnitude: 1}
}

// groupsProgram has a layer with heads wider in V than in K, two with a window, one that is latent, and slots.
func groupsProgram(t *testing.T) (*engine.Program, stepWeights) {
	b := newGroupsBuilder()
	full := engine.Group{Name: "full", Layers: 1, Mask: engine.Causal, Heads: 2, KeyWidth: 20, ValueWidth: 28}
	window := engine.Group{Name: "window", Layers: 2, Mask: engine.Window, Window: 33, Heads: 1, KeyWidth: 24, ValueWidth: 24}
	shared := engine.Group{Name: "latent", Layers: 1, Mask: engine.Causal, Heads: 1, KeyWidth: 40, ValueWidth: 27, Latent: true}
	f, w, l := b.Group(full), b.Group(window), b.Group(shared)
	b.Group(engine.Group{Name: "state", Layers: 3, State: 7})
	for _, layer := range []struct {
		id   engine.GroupID
		g    engine.Group
		n    int
		rope *engine.Rope
	}{{w, window, 2, rope(24, engine.RopeHalves)}, {f, full, 1, rope(16, engine.RopeAdjacent)}, {w, window, 1, nil}, {l, shared, 1, rope(12, engine.RopeHalves)}} {
		b.store(layer.id, layer.g, layer.n, layer.rope)
		b.attend(layer.id, layer.g, layer.n, layer.rope)
	}
	b.head()
	return b.program(t), b.weights
}

// groupsRun is how a sequence is computed.
type groupsRun struct {
	isa            string
	threads, chunk int
	company        bool // of another sequence, in every step
	giveAway       bool // pages that the window has passed, and spoil them
}

// history is a sequence with its pages in each group: other ids in each, so that one can't pass for another.
type history struct {
	tokens []int32
	pages  [][]int32
	slots  [2]int32
}

func newHistory(seed, n, groups int) *history {
	h := &history{slots: [2]int32{int32(2 * seed), int32(2*seed + 1)}}
	for i := range n {
		h.tokens = append(h.tokens, int32((i*29+seed*13+5)%groupsVocab))
	}
	for g := range groups {
		ids := make([]int32, groupsContext/engine.PageTokens)
		for i := range ids {
			ids[i] = int32(seed*groupsPages/2 + (i*7+5*g)%(groupsPages/2))
		}
		h.pages = append(h.pages, ids)
	}
	return h
}

// add puts tokens [from, to) into the batch; every fifth token is a vector. It returns the last one's row.
func (h *history) add(t *testing.T, b *engine.Batch, from, to int, giveAway bool) int {
	t.Helper()
	tokens := slices.Clone(h.tokens[from:to])
	for i := range tokens {
		if (from+i)%5 == 4 {
			mark, err := b.AddVector(inputs[0].make(random(uint64(from+i)), groupsWidth))
			if err != nil {
				t.Fatal(err)
			}
			tokens[i] = mark
		}
	}
	row, err := b.AddSequence(tokens, from, h.tables(b.Limits().Groups, from, giveAway))
	if err != nil {
		t.Fatal(err)
	}
	return row + to - from - 1
}

// tables are those of a step from position `from` on.
func (h *history) tables(groups []engine.GroupLimits, from int, giveAway bool) []engine.PageTable {
	tables := make([]engine.PageTable, len(groups))
	for i, g := range groups {
		switch {
		case g.Slots && from == 0:
			tables[i].Pages = []int32{engine.NoSlot, h.slots[0]}
		case g.Slots:
			tables[i].Pages = []int32{h.slots[from%2], h.slots[1-from%2]}
		case giveAway && g.Mask == engine.Window:
			tables[i].Base = max(0, from-g.Window+1) / engine.PageTokens
			tables[i].Pages = h.pages[i][tables[i].Base:]
		default:
			tables[i].Pages = h.pages[i]
		}
	}
	return tables
}

// spoil fills what the tables no longer name with bytes that are NaN in every KV type.
func (h *history) spoil(t *testing.T, in engine.Instance, tables []engine.PageTable) {
	t.Helper()
	for i, g := range in.Limits().Groups {
		for _, page := range h.pages[i][:tables[i].Base] {
			if err := moved(in.Import(engine.GroupID(i+1), page, bytes.Repeat([]byte{0xff}, int(g.PageBytes)))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// run feeds the whole history and returns the last row's logits, its listed targets, and the company's.
func (r groupsRun) run(t *testing.T, in engine.Instance, n int) (logits, targets []float32) {
	t.Helper()
	groups := len(in.Limits().Groups)
	h, company := newHistory(0, n, groups), newHistory(1, groupsContext, groups)
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	far := 0
	for from := 0; from < n; from += r.chunk {
		b.Reset()
		b.Generation = in.Generation()
		if r.company {
			row := company.add(t, b, far, far+3, r.giveAway)
			if _, err := b.AddOutput(engine.Output{Row: int32(row)}, nil, nil, 1, 2); err != nil {
				t.Fatal(err)
			}
			far = (far + 3) % 90
		}
		if r.giveAway {
			h.spoil(t, in, h.tables(in.Limits().Groups, from, true))
		}
		row := h.add(t, b, from, min(from+r.chunk, n), r.giveAway)
		at, err := b.AddOutput(engine.Output{Row: int32(row), Mode: engine.WholeRow}, nil, nil, 130, 7, 0)
		if err != nil {
			t.Fatal(err)
		}
		compute(t, in, b)
		targets = slices.Clone(b.TargetLogitsOf(at))
	}
	return slices.Clone(b.Logits), targets
}

func compute(t *testing.T, in engine.Instance, b *engine.Batch) {
	t.Helper()
	if err := in.Submit(b); err != nil {
		t.Fatal(err)
	}
	if err := in.Wait(); err != nil {
		t.Fatal(err)
	}
}

func loadGroups(t *testing.T, p *engine.Program, w engine.Weights, isa string, threads int, kv engine.DType) engine.Instance {
	t.Helper()
	pages := slices.Repeat([]int{groupsPages}, len(p.Groups))
	in, err := open(t, isa, threads).Load(p, w, engine.LoadOptions{Policy: engine.Policy{KV: kv}, Pages: pages,
		MaxTokens: 80, MaxVectors: 40, MaxSequences: 3, MaxOutputs: 4, MaxTargets: 8, MaxContext: groupsContext})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in
}

// meaningful refuses logits that any program would give.
func meaningful(t *testing.T, logits []float32) {
	t.Helper()
	if slices.ContainsFunc(logits, func(x float32) bool { return x != x }) || slices.Max(logits)-slices.Min(logits) < 1e-3 {
		t.Fatalf("logits without meaning: %v", logits)
	}
}

func TestGroupsGiveTheSameBytes(t *testing.T) {
	const n = 283
	p, w := groupsProgram(t)
	for _, kv := range kvTypes {
		want, targets := groupsRun{chunk: 60}.run(t, loadGroups(t, p, w, "scalar", 1, kv), n)
		meaningful(t, want)
		same(t, "targets", targets, []float32{want[130], want[7], want[0]})
		for _, r := range []groupsRun{
			{"scalar", 3, 7, true, true}, {"avx2", 1, 60, false, true}, {"avx2", 2, 1, true, true}, {"avx2", 2, 23, true, false},
			{"avx512f", 2, 33, false, true}, {"avx512vnni", 2, 16, true, true}, {"avx512vnni", 1, 1, false, false},
		} {
			t.Run(fmt.Sprintf("%v KV, %+v", kv, r), func(t *testing.T) {
				if !cgo.HasISA(r.isa) {
					t.Skip("this machine does not have it")
				}
				got, targets := r.run(t, loadGroups(t, p, w, r.isa, r.threads, kv), n)
				same(t, "logits", got, want)
				same(t, "targets", targets, []float32{want[130], want[7], want[0]})
			})
		}
	}
}

// A page that was another sequence's before holds what a fresh one does, to the last byte: slots that are not
// written yet are cleared when the page is opened.
func TestPagesAreAsFresh(t *testing.T) {
	p, w := groupsProgram(t)
	for _, kv := range kvTypes {
		fresh, used := loadGroups(t, p, w, "auto", 2, kv), loadGroups(t, p, w, "auto", 2, kv)
		for _, c := range []struct{ n, chunk int }{
			{283, 37}, // the last step begins in the midst of the last page but one
			{273, 34}, // the last step is one token, which opens the last page
			{279, 34}, // the last step begins where its page does
		} {
			groupsRun{chunk: 80}.run(t, used, groupsContext)
			groupsRun{chunk: 80}.run(t, fresh, c.n)
			groupsRun{chunk: c.chunk}.run(t, used, c.n)
			for g, ids := range newHistory(0, c.n, 3).pages {
				size := fresh.Limits().Groups[g].PageBytes
				want, got := make([]byte, size), make([]byte, size)
				id := ids[c.n/engine.PageTokens]
				if err := errors.Join(moved(fresh.Export(engine.GroupID(g+1), id, want)), moved(used.Export(engine.GroupID(g+1), id, got))); err != nil {
					t.Fatal(err)
				}
				same(t, fmt.Sprintf("%v KV, %s, %+v: the last page", kv, p.Groups[g].Name, c), got, want)
			}
		}
	}
}

// One KV head that all query heads share, which are computed in several chunks, gives what copies of it give.
func TestSharedHeads(t *testing.T) {
	const heads, n = 20, 70
	var want []float32
	for _, copies := range []int{1, 4, 20} {
		b, g := newGroupsBuilder(), engine.Group{Name: "shared", Layers: 1, Mask: engine.Causal, Heads: copies, KeyWidth: 16, ValueWidth: 24}
		id := b.Group(g)
		b.store(id, g, 1, nil)
		b.attendBy(heads, id, g, 1, nil)
		b.head()
		for name, cols := range map[string]int{"shared.1.k": g.KeyWidth, "shared.1.v": g.ValueWidth} {
			one := stepWeights{enginetest.Tensors{}}
			one.add(name, blockTypes[7], cols, groupsWidth)
			b.weights.Put(name, one.Tensors[name].Type, copies*cols, groupsWidth, bytes.Repeat(one.Tensors[name].Data, copies))
		}
		got, _ := groupsRun{chunk: 33}.run(t, loadGroups(t, b.program(t), b.weights, "auto", 2, engine.F16), n)
		if want == nil {
			meaningful(t, got)
			want = got
		}
		same(t, fmt.Sprintf("%d copies of the KV head", copies), got, want)
	}
}

// A vector that is a token's scaled row is that token; both take the row of their position.
func TestVectorsStandForRows(t *testing.T) {
	b := engine.NewBuilder("vectors", groupsVocab, groupsContext)
	w, x, last := stepWeights{enginetest.Tensors{}}, b.Value("x", groupsWidth), b.OutputValue("last", groupsWidth)
	weight := func(name string, rows int) engine.WeightID {
		w.add(name, blockTypes[0], rows, groupsWidth)
		return b.Weight(name, rows, groupsWidth)
	}
	b.Add(engine.Embed{Table: weight("embed", groupsVocab), Positions: weight("positions", groupsContext), Scale: 0.5, Out: x})
	b.Add(engine.Rows{In: x, Out: last})
	b.Add(engine.Head{In: last, Weight: weight("head", groupsVocab), Scale: 1})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	in := loadGroups(t, p, w, "auto", 2, engine.F16)
	batch, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	row, table := make([]float32, groupsWidth), make([]float32, groupsVocab*groupsWidth)
	copy(bytesOf(table), w.Tensors["embed"].Data)
	logits := func(vectors bool) []float32 {
		batch.Reset()
		batch.Generation = in.Generation()
		tokens := []int32{3, 130, 0, 77}
		for i, token := range tokens {
			if vectors && i != 2 {
				for d := range row {
					row[d] = 0.5 * table[int(token)*groupsWidth+d]
				}
				if tokens[i], err = batch.AddVector(row); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, err := batch.AddSequence(tokens, 9, nil)
		for i := range tokens {
			if err == nil {
				_, err = batch.AddOutput(engine.Output{Row: int32(i), Mode: engine.WholeRow}, nil, nil)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		compute(t, in, batch)
		return slices.Clone(batch.Logits)
	}
	want := logits(false)
	meaningful(t, want)
	same(t, "logits", logits(true), want)
}

// ---- an encoder, whose rows see all of their sequence, and a decoder that attends to what it wrote ----

var (
	encoderSelf = engine.Group{Name: "self", Layers: 1, Mask: engine.Bidirectional, Heads: 2, KeyWidth: 20, ValueWidth: 20}
	memory      = engine.Group{Name: "memory", Layers: 2, Mask: engine.Cross, Heads: 2, KeyWidth: 24, ValueWidth: 20}
	decoderSelf = engine.Group{Name: "own", Layers: 1, Mask: engine.Causal, Heads: 1, KeyWidth: 32, ValueWidth: 32}
)

func encoder(t *testing.T) (*engine.Program, stepWeights) {
	b := newGroupsBuilder()
	self, far := b.Group(encoderSelf), b.Group(memory)
	b.store(self, encoderSelf, 1, rope(20, engine.RopeHalves))
	b.attend(self, encoderSelf, 1, rope(20, engine.RopeHalves))
	b.store(far, memory, 1, nil)
	b.store(far, memory, 2, nil)
	return b.program(t), b.weights
}

func decoder(t *testing.T) (*engine.Program, stepWeights) {
	b := newGroupsBuilder()
	far, self := b.Group(memory), b.Group(decoderSelf)
	b.store(self, decoderSelf, 1, rope(32, engine.RopeAdjacent))
	b.attend(self, decoderSelf, 1, rope(32, engine.RopeAdjacent))
	b.attend(far, memory, 2, nil)
	b.attend(far, memory, 1, nil)
	b.head()
	return b.program(t), b.weights
}

const heard = 41 // tokens that the encoder is given

// encode returns the pages that the encoder writes of the heard tokens.
func encode(t *testing.T, isa string, threads int, kv engine.DType, company bool) (pages [][]byte) {
	t.Helper()
	p, w := encoder(t)
	in := loadGroups(t, p, w, isa, threads, kv)
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	b.Generation = in.Generation()
	h := newHistory(0, heard, 2)
	sequences := []*history{h}
	if company {
		sequences = []*history{newHistory(1, 30, 2), h}
	}
	for _, h := range sequences {
		n := len(h.tokens)
		if _, err := b.AddSequence(h.tokens, 0, []engine.PageTable{{Pages: h.pages[0]}, {Pages: h.pages[1], Length: n}}); err != nil {
			t.Fatal(err)
		}
	}
	compute(t, in, b)
	for _, id := range h.pages[1][:(heard+engine.PageTokens-1)/engine.PageTokens] {
		page := make([]byte, in.Limits().Groups[1].PageBytes)
		if err := moved(in.Export(2, id, page)); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page)
	}
	return pages
}

// decode reads n tokens beside the pages and returns the last row's logits.
func decode(t *testing.T, isa string, threads, chunk int, kv engine.DType, pages [][]byte, length int) []float32 {
	t.Helper()
	const n = 30
	p, w := decoder(t)
	in := loadGroups(t, p, w, isa, threads, kv)
	h := newHistory(1, n, 2)
	for i, page := range pages {
		if err := moved(in.Import(1, h.pages[0][i], page)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < n; from += chunk {
		b.Reset()
		b.Generation = in.Generation()
		to := min(from+chunk, n)
		row, err := b.AddSequence(h.tokens[from:to], from, []engine.PageTable{{Pages: h.pages[0], Length: length}, {Pages: h.pages[1]}})
		if err == nil {
			_, err = b.AddOutput(engine.Output{Row: int32(row + to - from - 1), Mode: engine.WholeRow}, nil, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		compute(t, in, b)
	}
	return slices.Clone(b.Logits)
}

func TestEncoderAndDecoder(t *testing.T) {
	for _, kv := range kvTypes {
		pages := encode(t, "scalar", 1, kv, false)
		logits := decode(t, "scalar", 1, 30, kv, pages, heard)
		meaningful(t, logits)
		if slices.Equal(logits, decode(t, "scalar", 1, 30, kv, pages, heard-1)) {
			t.Errorf("%v KV: the last position that was heard does not count", kv)
		}
		for i, isa := range []string{"scalar", "avx2", "avx512f", "avx512vnni"} {
			t.Run(fmt.Sprintf("%v/%s", kv, isa), func(t *testing.T) {
				if !cgo.HasISA(isa) {
					t.Skip("this machine does not have it")
				}
				for p, page := range encode(t, isa, 1+i%3, kv, true) {
					same(t, fmt.Sprint("page ", p), page, pages[p])
				}
				same(t, "logits", decode(t, isa, 1+i%3, 1+6*i, kv, pages, heard), logits)
			})
		}
	}
}

// A group of slots has memory, which is copied and moved like pages.
func TestSlotsMove(t *testing.T) {
	p, w := groupsProgram(t)
	in := loadGroups(t, p, w, "auto", 1, engine.F16)
	const state = engine.GroupID(4)
	limits := in.Limits().Groups[state-1]
	if !limits.Slots || limits.Pages != groupsPages || limits.PageBytes < 3*7*4 {
		t.Fatalf("limits of slots: %+v", limits)
	}
	slot, got := make([]byte, limits.PageBytes), make([]byte, limits.PageBytes)
	for i := range slot {
		slot[i] = byte(i + 1)
	}
	if err := moved(in.Import(state, groupsPages-1, slot)); err != nil {
		t.Fatal(err)
	}
	if err := in.CopyPages(state, []engine.PageCopy{{From: groupsPages - 1, To: 0}}); err != nil {
		t.Fatal(err)
	}
	if err := moved(in.Export(state, 0, got)); err != nil {
		t.Fatal(err)
	}
	same(t, "the slot", got, slot)
}

// The plan's groups are the pages that are taken.
func TestPlanOfGroups(t *testing.T) {
	p, w := groupsProgram(t)
	in := loadGroups(t, p, w, "auto", 1, engine.F16)
	plan, total := in.Plan(), int64(0)
	for i, g := range plan.Groups {
		if l := in.Limits().Groups[i]; g.Name != p.Groups[i].Name || g.Layers != p.Groups[i].Layers || g.Pages != l.Pages || g.PageBytes != l.PageBytes {
			t.Errorf("group %d: %+v in the plan, %+v in the limits", i, g, l)
		}
		total += int64(g.Pages) * g.PageBytes
	}
	if len(plan.Groups) != len(p.Groups) || plan.KVBytes != total {
		t.Errorf("%d groups take %d bytes, the plan says %d", len(plan.Groups), total, plan.KVBytes)
	}
	for _, ph := range plan.Phases {
		if ph.Backend != "cpu" || ph.Kernel == "" || ph.Chunks == "" {
			t.Errorf("the plan's row %+v lacks something", ph)
		}
	}
}
