package hostmem

import (
	"math"
	"strings"
	"testing"
	"unsafe"
)

// layout asks for pieces of odd sizes; measuring and taking run the same code.
func layout(c *Carver) (bytes unsafe.Pointer, floats []float32, none []int64, pairs [][3]uint16) {
	bytes = c.Bytes(1)
	floats = Take[float32](c, 17)
	none = Take[int64](c, 0)
	pairs = Take[[3]uint16](c, 11)
	return bytes, floats, none, pairs
}

func TestCarve(t *testing.T) {
	measure := NewCarver(nil)
	if b, f, n, p := layout(measure); b != nil || f != nil || n != nil || p != nil {
		t.Error("measuring gives memory")
	}
	if measure.Need() != 64+128+0+128 {
		t.Fatalf("%d bytes", measure.Need())
	}
	r := alloc(t, Batch, measure.Need())
	defer r.Free()
	c := NewCarver(r)
	b, f, n, p := layout(c)
	if c.Need() != measure.Need() || len(f) != 17 || len(n) != 0 || len(p) != 11 {
		t.Errorf("%d bytes, %d %d %d", c.Need(), len(f), len(n), len(p))
	}
	at := func(q unsafe.Pointer) uintptr { return uintptr(q) - uintptr(r.Pointer()) }
	for i, got := range []uintptr{at(b), at(unsafe.Pointer(&f[0])), at(unsafe.Pointer(&p[0]))} {
		if want := []uintptr{0, 64, 192}[i]; got != want {
			t.Errorf("piece %d lies at %d, want %d", i, got, want)
		}
	}
	wantPanic(t, "region has 320 bytes", func() { Take[byte](c, 1) })
}

func wantPanic(t *testing.T, part string, f func()) {
	t.Helper()
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, part) {
			t.Errorf("panic %q does not say %q", text, part)
		}
	}()
	f()
}

// A sum that overflows stays at the largest int64, which Alloc refuses; it never wraps to something small.
func TestCarveOverflow(t *testing.T) {
	for _, n := range []int{math.MaxInt, math.MaxInt / 2, math.MaxInt/8 + 1, -1, math.MinInt} {
		c := NewCarver(nil)
		Take[byte](c, 100)
		Take[float64](c, n)
		Take[byte](c, 100)
		if c.Need() != math.MaxInt64 {
			t.Errorf("%d: needs %d", n, c.Need())
		}
		if r, err := Alloc(Batch, c.Need()); err == nil {
			t.Errorf("%d: %d bytes were mapped", n, len(r.Bytes()))
		}
	}
	c := NewCarver(nil)
	Take[byte](c, math.MaxInt-200)
	Take[byte](c, 1)
	Take[byte](c, 1)
	Take[byte](c, 1)
	Take[byte](c, 1)
	if c.Need() != math.MaxInt64 {
		t.Errorf("needs %d", c.Need())
	}
}

func TestSlice(t *testing.T) {
	r := alloc(t, Batch, 100)
	defer r.Free()
	s := Slice[uint32](r, 8, 23)
	s[22] = 0x01020304
	if got := r.Bytes()[96:100]; got[0] != 4 || got[3] != 1 {
		t.Errorf("%v", got)
	}
	if len(Slice[uint32](r, 100, 0)) != 0 || len(Slice[struct{}](r, 0, 1<<40)) != 1<<40 {
		t.Error("nothing is refused")
	}
	for _, c := range []struct {
		offset, n int64
		part      string
	}{
		{8, 24, "region has 100 bytes"}, {-4, 1, "region has"}, {0, -1, "region has"}, {104, 0, "region has"},
		{4, math.MaxInt64, "region has"}, {math.MaxInt64, 1, "region has"}, {0, math.MaxInt64/4 + 1, "region has"}, {2, 1, "not aligned"},
	} {
		wantPanic(t, c.part, func() { Slice[uint32](r, c.offset, c.n) })
	}
}
