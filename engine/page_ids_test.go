package engine

import (
	"slices"
	"testing"
)

// TestKeptTables: a table that is kept is refused for an id of it that the pool has not, wherever and whenever it was added.
func TestKeptTables(t *testing.T) {
	keep := func(ids ...int32) (p PageIDs) {
		p.Grow(len(ids))
		for _, id := range ids {
			p.Append(id)
		}
		return p
	}
	for _, c := range []struct {
		what string
		ids  PageIDs
		want bool
	}{
		{"the pool's highest", keep(0, 7, 1, 2), true},
		{"page == Pages at the start", keep(8, 7, 1, 2), false},
		{"page == Pages at the end", keep(0, 7, 1, 8), false},
		{"a negative page", keep(0, -1, 1, 2), false},
		{"a page too few", keep(0, 7, 1), false},
	} {
		b, s := newBatch(batchLimits), soundSequence()
		s.tables[0] = c.ids.Table(0)
		if _, err := b.AddSequence(s.tokens, s.first, s.tables); (err == nil) != c.want {
			t.Errorf("%s: %v", c.what, err)
		} else if err == nil && !slices.Equal(b.Pages[:4], []int32{0, 7, 1, 2}) {
			t.Errorf("%s: the batch has %v", c.what, b.Pages)
		}
	}

	p := keep(3, 5, 0, 1)
	p.DropFirst()
	b, s := newBatch(batchLimits), soundSequence()
	if s.tables[1] = p.Table(1); p.Len() != 3 || p.At(0) != 5 {
		t.Errorf("after the first was dropped: %v", p)
	}
	if _, err := b.AddSequence(s.tokens, s.first, s.tables); err != nil {
		t.Error(err)
	}
	p.Append(6)
	s.tables[1] = p.Table(1)
	if _, err := b.AddSequence(s.tokens, s.first, s.tables); err == nil {
		t.Error("page == Pages, added later")
	}
	if p.Swap(0, 1); p.At(0) != 0 || p.At(1) != 5 {
		t.Errorf("swapped: %v", p)
	}
}
