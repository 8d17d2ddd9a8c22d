package lowering

import (
	"cmp"
	"fmt"
	"slices"

	"chimera/engine"
)

// This file owns how weights are cut for reading: into pieces that depend on the weights alone, not on who reads
// them or on how many threads, since the digest is made of theirs.

// pieceBytes stays in a core's cache while it is read, summed up and packed, and takes no longer than a millisecond or so,
// which bounds how long a load that shares the machine keeps others waiting.
const pieceBytes = 256 << 10

// groupRows is how many rows of a matrix are packed side by side: a piece holds whole groups.
const groupRows = 16

// Piece is some rows of a weight, read at once. All rows of a weight lie in the pieces that follow each other.
type Piece struct {
	Weight engine.WeightID
	First  int // row of the weight, a multiple of groupRows
	Rows   int
}

// tensors finds each weight's tensor and cuts it.
func (l *lowering) tensors(w engine.Weights) error {
	plain := PlainWeights(l.Program)
	for i, weight := range l.Program.Weights {
		t, err := w.Tensor(weight.Name)
		if err != nil {
			return err
		}
		if !holds(t, weight, plain[i]) {
			return fmt.Errorf("tensor %s is %d x %d, the program wants %d x %d of it from %d on: %w",
				t.Name, t.Rows, t.Cols, weight.Rows, weight.Cols, weight.FirstRow, engine.ErrModelFile)
		}
		l.Tensors = append(l.Tensors, t)
		rows := max(pieceBytes/(groupRows*t.RowBytes), 1) * groupRows
		for first := 0; first < weight.Rows; first += rows {
			l.Pieces = append(l.Pieces, Piece{Weight: engine.WeightID(i + 1), First: first, Rows: min(rows, weight.Rows-first)})
		}
	}
	return nil
}

// holds tells whether w lies inside t: what a backend reads of a piece, the piece has.
func holds(t engine.Tensor, w engine.Weight, plain bool) bool {
	if w.FirstRow < 0 || w.Rows < 1 || w.Cols < 1 || t.RowBytes < 1 {
		return false
	}
	if plain && ofVector(t, w) {
		return w.FirstRow <= t.Cols-w.Cols
	}
	return w.Cols == t.Cols && w.FirstRow <= t.Rows-w.Rows
}

// ofVector tells whether w is elements of a vector, which is read whole, not rows.
func ofVector(t engine.Tensor, w engine.Weight) bool { return t.Rows == 1 && w.Rows == 1 }

// PiecesOf are the pieces of a weight, [first, end) among all.
func (l *Lowered) PiecesOf(id engine.WeightID) (first, end int) {
	at := func(id engine.WeightID) int {
		i, _ := slices.BinarySearchFunc(l.Pieces, id, func(p Piece, id engine.WeightID) int { return cmp.Compare(p.Weight, id) })
		return i
	}
	return at(id), at(id + 1)
}

// PieceBytes is the size of the largest piece.
func (l *Lowered) PieceBytes() (most int) {
	for _, p := range l.Pieces {
		most = max(most, l.bytes(p))
	}
	return most
}

func (l *Lowered) bytes(p Piece) int { return p.Rows * l.Tensor(p.Weight).RowBytes }

// Part is where the weight's values begin and end in a row of its tensor: other than the whole row only for part
// of a vector.
func (l *Lowered) Part(id engine.WeightID) (from, to int) {
	w := l.Program.Weight(id)
	if ofVector(l.Tensor(id), w) {
		return w.FirstRow, w.FirstRow + w.Cols
	}
	return 0, w.Cols
}
