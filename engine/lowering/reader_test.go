package lowering

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns tests of how weights are cut, read and summed up.

// tensors of a small program: a matrix of several pieces, a fused one, vectors whole and in part.
const manyRows, wide = 5000, 64

func testWeights() enginetest.Tensors {
	w, r := enginetest.Tensors{}, rand.New(rand.NewPCG(1, 2))
	put := func(name string, rows, cols int) {
		data := make([]byte, rows*cols*4)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		w.Put(name, engine.F32, rows, cols, data)
	}
	put("table", manyRows, wide)
	put("fused", 2*wide, wide)
	put("norm", 1, wide)
	put("bias", 1, 2*wide)
	return w
}

// testProgram reads the fused matrix from row `first` on.
func testProgram(t *testing.T, first int, base float64) *engine.Program {
	t.Helper()
	b := engine.NewBuilder("test", manyRows, 16)
	g := b.Group(engine.Group{Name: "full", Layers: 1, Mask: engine.Causal, Heads: 1, KeyWidth: wide, ValueWidth: wide})
	x, y, rows := b.Value("x", wide), b.Value("y", wide), b.OutputValue("rows", wide)
	rope := &engine.Rope{Dim: wide, Base: base, Scale: 1, Magnitude: 1}
	b.Add(engine.Embed{Table: b.Weight("table", manyRows, wide), Scale: 1, Out: x})
	b.Add(engine.Norm{Kind: engine.RMSNorm, Gamma: b.Vector("norm", wide), In: x, Out: x})
	b.Add(engine.Linears{In: x, Outputs: []engine.Linear{{Weight: b.WeightRows("fused", first, wide, wide), Bias: b.VectorPart("bias", wide, wide), Out: y}}})
	b.Add(engine.Store{Group: g, Layer: 1, K: y, V: y, Rope: rope})
	b.Add(engine.Attend{Group: g, Layer: 1, Q: y, Out: x, Heads: 1, Scale: 1, Rope: rope})
	b.Add(engine.Rows{In: x, Out: rows})
	b.Add(engine.Head{In: rows, Weight: b.Weight("table", manyRows, wide), Scale: 1})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func lowered(t *testing.T, p *engine.Program, w engine.Weights) *Lowered {
	t.Helper()
	l, err := Lower(p, w, Capacity{Backend: "test", HeadDim: wide})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Pieces are whole groups of rows, bounded, in order, and cover each weight.
func TestPieces(t *testing.T) {
	p := testProgram(t, 0, 1e4)
	l := lowered(t, p, testWeights())
	for id := range p.Weights {
		id, covered := engine.WeightID(id+1), 0
		first, end := l.PiecesOf(id)
		for _, piece := range l.Pieces[first:end] {
			if piece.Weight != id || piece.First != covered || piece.First%groupRows != 0 || l.bytes(piece) > pieceBytes {
				t.Errorf("weight %d: piece %+v behind row %d", id, piece, covered)
			}
			covered += piece.Rows
		}
		if covered != p.Weight(id).Rows {
			t.Errorf("weight %d: %d rows of %d", id, covered, p.Weight(id).Rows)
		}
	}
	if first, end := l.PiecesOf(1); end-first != 5 || l.PieceBytes() != pieceBytes {
		t.Errorf("the table has %d pieces, the largest of %d bytes", end-first, l.PieceBytes())
	}
	if from, to := l.Part(4); from != wide || to != 2*wide {
		t.Errorf("the bias is part %d to %d", from, to)
	}
	huge := engine.Tensor{Rows: 40, Cols: pieceBytes, RowBytes: 4 * pieceBytes} // a row is longer than a piece
	l = lowered(t, &engine.Program{Weights: []engine.Weight{{Name: "huge", Rows: 40, Cols: pieceBytes}}, Ops: []engine.Op{engine.Embed{Table: 1}}},
		enginetest.Tensors{"huge": {Tensor: huge}})
	if want := []Piece{{1, 0, 16}, {1, 16, 16}, {1, 32, 8}}; !slices.Equal(l.Pieces, want) {
		t.Errorf("pieces of long rows: %v", l.Pieces)
	}
}

// A weight that its tensor does not hold is refused before anything reads beyond it.
func TestWeightsOutsideTheirTensor(t *testing.T) {
	for name, spoil := range map[string]func(w enginetest.Tensors){
		"fewer rows": func(w enginetest.Tensors) {
			w.Put("fused", engine.F32, 2*wide-1, wide, make([]byte, (2*wide-1)*wide*4))
		},
		"shorter rows": func(w enginetest.Tensors) {
			w.Put("table", engine.F32, manyRows, wide-1, make([]byte, manyRows*(wide-1)*4))
		},
		"longer rows": func(w enginetest.Tensors) {
			w.Put("table", engine.F32, manyRows, wide+1, make([]byte, manyRows*(wide+1)*4))
		},
		"a vector too short": func(w enginetest.Tensors) { w.Put("bias", engine.F32, 1, 2*wide-1, make([]byte, 2*wide*4-4)) },
		"no tensor":          func(w enginetest.Tensors) { delete(w, "bias") },
	} {
		w := testWeights()
		spoil(w)
		if _, err := Lower(testProgram(t, wide, 1e4), w, Capacity{HeadDim: wide}); !errors.Is(err, engine.ErrModelFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// digest reads all pieces in an order.
func digest(t *testing.T, p *engine.Program, w engine.Weights, order func(pieces []int)) string {
	t.Helper()
	l := lowered(t, p, w)
	r, pieces := l.NewReader(w, nil), make([]int, len(l.Pieces))
	for i := range pieces {
		pieces[i] = i
	}
	order(pieces)
	for _, i := range pieces {
		if _, err := r.Read(i, make([]byte, l.PieceBytes())); err != nil {
			t.Fatal(err)
		}
	}
	return r.Digest()
}

// The digest depends on all that is computed with, and on nothing else.
func TestDigest(t *testing.T) {
	inOrder := func([]int) {}
	plain := func(w enginetest.Tensors) string { return digest(t, testProgram(t, 0, 1e4), w, inOrder) }
	want := plain(testWeights())
	if len(want) != 32 {
		t.Fatalf("digest %q", want)
	}
	if got := digest(t, testProgram(t, 0, 1e4), testWeights(), slices.Reverse[[]int]); got != want {
		t.Errorf("read from the end: %s, not %s", got, want)
	}
	w := testWeights()
	w.Put("of no use", engine.F32, 1, 1, make([]byte, 4))
	w["fused"].Data[wide*wide*4] ^= 1
	if got := plain(w); got != want {
		t.Errorf("with other bytes that no op reads: %s, not %s", got, want)
	}
	digests := map[string]string{want: "the model"}
	other := func(what, digest string) {
		if is, known := digests[digest]; known {
			t.Errorf("%s has the digest of %s", what, is)
		}
		digests[digest] = what
	}
	for name, at := range map[string]int{"table": manyRows*wide*4 - 1, "fused": 0, "norm": 5, "bias": wide * 4} {
		w := testWeights()
		w[name].Data[at] ^= 0x40
		other("another byte of "+name, plain(w))
	}
	w = testWeights()
	w.Put("norm", engine.F32, 1, wide, w["table"].Data[:4*wide])
	other("another norm", plain(w))
	half := testWeights()
	half.Put("fused", engine.F16, 4*wide, wide, half["fused"].Data)
	other("the same bytes as another type", plain(half))
	other("the same rows of another part", digest(t, testProgram(t, wide, 1e4), testWeights(), inOrder))
	other("another rope", digest(t, testProgram(t, 0, 1e5), testWeights(), inOrder))
}

// variant is the program with some of its ops or weights changed.
func variant(t *testing.T, change func(p *engine.Program)) *engine.Program {
	p := testProgram(t, 0, 1e4)
	change(p)
	return p
}

// changeOp changes the first op of a type.
func changeOp[O engine.Op](change func(o *O)) func(p *engine.Program) {
	return func(p *engine.Program) {
		i := slices.IndexFunc(p.Ops, func(op engine.Op) bool { _, ok := op.(O); return ok })
		o := p.Ops[i].(O)
		change(&o)
		p.Ops[i] = o
	}
}

// Each field of an op that enters a result enters the digest, as do the parts of tensors that are read whole: else
// prefixes would be shared, and answers be named alike, between models that differ.
func TestDigestOfThePrograms(t *testing.T) {
	of := func(p *engine.Program) string { return digest(t, p, testWeights(), func([]int) {}) }
	digests := map[string]string{of(testProgram(t, 0, 1e4)): "the model"}
	for what, change := range map[string]func(p *engine.Program){
		"the embedding's scale":  changeOp(func(o *engine.Embed) { o.Scale = 2 }),
		"a norm's epsilon":       changeOp(func(o *engine.Norm) { o.Epsilon = 1e-5 }),
		"a norm's kind":          changeOp(func(o *engine.Norm) { o.Kind = engine.LayerNorm }),
		"a norm's residual":      changeOp(func(o *engine.Norm) { o.Residual = o.In }),
		"an activation":          changeOp(func(o *engine.Linears) { o.Outputs = slices.Clone(o.Outputs); o.Outputs[0].Activation = engine.SiLU }),
		"a product's residual":   changeOp(func(o *engine.Linears) { o.Outputs = slices.Clone(o.Outputs); o.Outputs[0].Residual = o.Outputs[0].Out }),
		"the scores' scale":      changeOp(func(o *engine.Attend) { o.Scale = 2 }),
		"the scores' softcap":    changeOp(func(o *engine.Attend) { o.Softcap = 50 }),
		"the queries' rope":      changeOp(func(o *engine.Attend) { o.Rope = nil }),
		"the queries' ropeStyle": changeOp(func(o *engine.Attend) { r := *o.Rope; r.Style = engine.RopeHalves; o.Rope = &r }),
		"the keys' rope":         changeOp(func(o *engine.Store) { o.Rope = nil }),
		"the keys' epsilon":      changeOp(func(o *engine.Store) { o.Epsilon = 1e-5 }),
		"the logits' scale":      changeOp(func(o *engine.Head) { o.Scale = 2 }),
		"the logits' softcap":    changeOp(func(o *engine.Head) { o.Softcap = 30 }),
		"an op less":             func(p *engine.Program) { p.Ops = slices.Delete(p.Ops, 1, 2) },
		"another order":          func(p *engine.Program) { p.Ops[3], p.Ops[4] = p.Ops[4], p.Ops[3] },
		"a window":               func(p *engine.Program) { p.Groups[0].Mask, p.Groups[0].Window = engine.Window, 4 },
		"another part of the bias": func(p *engine.Program) {
			i := slices.IndexFunc(p.Weights, func(w engine.Weight) bool { return w.Name == "bias" })
			p.Weights[i].FirstRow = 0
		},
	} {
		d := of(variant(t, change))
		if is, known := digests[d]; known {
			t.Errorf("%s has the digest of %s", what, is)
		}
		digests[d] = what
	}
}

// hinted notes what was asked for ahead, and read.
type hinted struct {
	enginetest.Tensors
	mu          sync.Mutex
	rows, ahead map[string]int
	late        int // rows read before they were asked for
}

func (h *hinted) Ahead(name string, firstRow, rows int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ahead[name] = max(h.ahead[name], firstRow+rows)
}

func (h *hinted) Read(name string, firstRow int, dst []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rows[name] += len(dst) / h.Tensors[name].RowBytes
	if firstRow+len(dst)/h.Tensors[name].RowBytes > h.ahead[name] {
		h.late++
	}
	return h.Tensors.Read(name, firstRow, dst)
}

// Every row is read once, after the system was asked to fetch it, and told in bytes.
func TestReadsOnceAndAhead(t *testing.T) {
	p, w := testProgram(t, 0, 1e4), testWeights()
	h := &hinted{Tensors: w, rows: map[string]int{}, ahead: map[string]int{}}
	l := lowered(t, p, w)
	l.Pieces = l.Pieces[:0]
	for first := 0; first < manyRows; first += groupRows { // more pieces than are asked for at once
		l.Pieces = append(l.Pieces, Piece{1, first, min(groupRows, manyRows-first)})
	}
	var told []int64
	total := int64(manyRows * wide * 4)
	r := l.NewReader(h, func(done, all int64) {
		if told = append(told, done); all != total {
			t.Errorf("%d of %d", done, all)
		}
	})
	if h.ahead["table"] != aheadPieces*groupRows {
		t.Errorf("%d rows were asked for before the first read", h.ahead["table"])
	}
	var group sync.WaitGroup
	var next atomic.Int64
	for range 3 {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(l.Pieces); i = int(next.Add(1)) - 1 {
				if _, err := r.Read(i, make([]byte, groupRows*wide*4)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if h.rows["table"] != manyRows || h.late > 0 {
		t.Errorf("%d rows were read of %d, %d of them before they were asked for", h.rows["table"], manyRows, h.late)
	}
	if !slices.IsSorted(told) || len(told) != len(l.Pieces) || told[len(told)-1] != total {
		t.Errorf("progress: %v", told)
	}
	failing := &failingWeights{Tensors: w}
	if _, err := l.NewReader(failing, nil).Read(0, make([]byte, l.PieceBytes())); !errors.Is(err, errBroken) {
		t.Errorf("a file that fails: %v", err)
	}
}

// A piece's bytes are its own rows of the tensor, also where a weight begins in the midst of one; a vector is read
// whole.
func TestReadsItsRows(t *testing.T) {
	p, w := testProgram(t, wide, 1e4), testWeights()
	l := lowered(t, p, w)
	r := l.NewReader(w, nil)
	for i, piece := range l.Pieces {
		weight := p.Weight(piece.Weight)
		tensor := w[weight.Name]
		want := tensor.Data
		if tensor.Rows > 1 {
			want = want[(weight.FirstRow+piece.First)*tensor.RowBytes:][:piece.Rows*tensor.RowBytes]
		}
		if got, err := r.Read(i, make([]byte, l.PieceBytes())); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s from row %d, piece %+v: other bytes, or %v", weight.Name, weight.FirstRow, piece, err)
		}
	}
}

var errBroken = errors.New("the disk is gone")

type failingWeights struct{ enginetest.Tensors }

func (failingWeights) Read(string, int, []byte) error { return errBroken }
