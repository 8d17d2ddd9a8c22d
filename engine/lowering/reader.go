package lowering

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"sync"

	"chimera/engine"
)

// This file owns reading weights while they are loaded: piece by piece, ahead, counted, and summed up to the
// digest that stands in the numerics id.

// aheadPieces is how many pieces, some 16 MiB, the system is asked to fetch before they are read: enough for a disk to
// work on while all threads pack.
const aheadPieces = 64

// Reader reads a program's weights. Any goroutine may call Read, each piece's turn coming about in order.
//
// The digest is one of digests, of the pieces, so that pieces may be read in any order and on all threads: a single hash over
// the file would be slower than the packing.
type Reader struct {
	*Lowered
	weights engine.Weights
	sums    [][sha256.Size]byte // of each piece

	mu       sync.Mutex
	done     int64
	total    int64
	progress func(done, total int64) // or nil
}

// NewReader begins to read; progress is that of engine.LoadOptions.
func (l *Lowered) NewReader(w engine.Weights, progress func(done, total int64)) *Reader {
	r := &Reader{Lowered: l, weights: w, sums: make([][sha256.Size]byte, len(l.Pieces)), progress: progress}
	for i, p := range l.Pieces {
		r.total += int64(l.bytes(p))
		if i < aheadPieces {
			r.ahead(i)
		}
	}
	return r
}

// Read reads piece i into dst, which is as large or larger, and returns its bytes.
func (r *Reader) Read(i int, dst []byte) ([]byte, error) {
	return r.ReadParts(i, dst, func(part func() error) error { return part() })
}

// Computes tells whether piece i is not there to be read but takes computing: for ten or a hundred times as long.
func (r *Reader) Computes(i int) bool { return r.Tensor(r.Pieces[i].Weight).PartRows > 0 }

// ReadParts is Read by calls of run, each with a part that takes about a millisecond: between them who reads may give way.
func (r *Reader) ReadParts(i int, dst []byte, run func(part func() error) error) ([]byte, error) {
	if i+aheadPieces < len(r.Pieces) {
		r.ahead(i + aheadPieces)
	}
	name, row := r.at(i)
	dst = dst[:r.bytes(r.Pieces[i])]
	t := r.Tensor(r.Pieces[i].Weight)
	each := len(dst)
	if t.PartRows > 0 {
		each = t.PartRows * t.RowBytes
	}
	for at := 0; at < len(dst); at += each {
		part := dst[at:min(at+each, len(dst))]
		if err := run(func() error { return r.weights.Read(name, row+at/t.RowBytes, part) }); err != nil {
			return nil, err
		}
	}
	r.sums[i] = sha256.Sum256(dst)
	r.report(len(dst))
	return dst, nil
}

func (r *Reader) ahead(i int) {
	name, row := r.at(i)
	r.weights.Ahead(name, row, r.Pieces[i].Rows)
}

// at is where a piece begins: the tensor, and a row of it.
func (r *Reader) at(i int) (name string, row int) {
	p := r.Pieces[i]
	w := r.Program.Weight(p.Weight)
	if ofVector(r.Tensor(p.Weight), w) {
		return w.Name, 0
	}
	return w.Name, w.FirstRow + p.First
}

func (r *Reader) report(bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done += int64(bytes); r.progress != nil {
		r.progress(r.done, r.total)
	}
}

// Digest tells models apart; see engine.Instance. All pieces must have been read.
func (r *Reader) Digest() string {
	h := sha256.New()
	r.state(h)
	last := engine.NoWeight
	for i, p := range r.Pieces {
		if p.Weight != last {
			t, w := r.Tensor(p.Weight), r.Program.Weight(p.Weight)
			fmt.Fprintf(h, "%q %s %d %d %d\n", w.Name, t.Type, w.FirstRow, w.Rows, w.Cols)
			last = p.Weight
		}
		h.Write(r.sums[i][:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// state writes down what of the program its results depend on: the same weights under another rope are another
// model, but not with other taps, which change nothing.
func (r *Reader) state(h hash.Hash) {
	p := r.Program
	fmt.Fprintf(h, "%d %+v %+v\n", p.Vocab, p.Values, p.Groups)
	for _, op := range p.Ops {
		switch o := op.(type) { // a pointer says nothing: the rope apart
		case engine.Store:
			stateRope(h, &o.Rope)
			op = o
		case engine.Attend:
			stateRope(h, &o.Rope)
			op = o
		case engine.Tap:
			continue
		}
		fmt.Fprintf(h, "%T %+v\n", op, op)
	}
}

func stateRope(h hash.Hash, r **engine.Rope) {
	if *r != nil {
		fmt.Fprintf(h, "%+v ", **r)
		*r = nil
	}
}
