package lowering

import (
	"bytes"
	"errors"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns tests of weights that are computed where they are read: in parts, between which who reads gives way.

// computed are weights that say so, and note how many rows each read asks for.
type computed struct {
	enginetest.Tensors
	rows []int
}

const partRows = 7

func (c *computed) Tensor(name string) (engine.Tensor, error) {
	t, err := c.Tensors.Tensor(name)
	t.PartRows = partRows
	return t, err
}

func (c *computed) Read(name string, firstRow int, dst []byte) error {
	c.rows = append(c.rows, len(dst)/c.Tensors[name].RowBytes)
	return c.Tensors.Read(name, firstRow, dst)
}

// TestReadParts: the bytes and the digest are those of a whole read, and no part is larger than was asked for.
func TestReadParts(t *testing.T) {
	p, plain := testProgram(t, wide, 1e4), testWeights()
	c := &computed{Tensors: plain}
	l := lowered(t, p, c)
	whole, parted := lowered(t, p, plain).NewReader(plain, nil), l.NewReader(c, nil)
	for i := range l.Pieces {
		if !parted.Computes(i) || whole.Computes(i) {
			t.Errorf("piece %d is computed %v, and %v where it is read", i, parted.Computes(i), whole.Computes(i))
		}
		runs := 0
		c.rows = c.rows[:0]
		got, err := parted.ReadParts(i, make([]byte, l.PieceBytes()), func(part func() error) error { runs++; return part() })
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for _, n := range c.rows {
			if rows += n; n > partRows {
				t.Errorf("piece %d: a part of %d rows", i, n)
			}
		}
		want, err := whole.Read(i, make([]byte, l.PieceBytes()))
		if err != nil || !bytes.Equal(got, want) || runs != len(c.rows) || rows != l.Pieces[i].Rows {
			t.Errorf("piece %d of %d rows: %d runs of %v rows, %v, or other bytes", i, l.Pieces[i].Rows, runs, c.rows, err)
		}
	}
	if parted.Digest() != whole.Digest() {
		t.Error("the digest depends on how it was read")
	}
	stop := errors.New("not wanted")
	if _, err := parted.ReadParts(0, make([]byte, l.PieceBytes()), func(func() error) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}
