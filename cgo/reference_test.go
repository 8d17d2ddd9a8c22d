//go:build cgo

package cgo_test

import (
	"testing"

	"chimera/cgo"
	"chimera/engine"
	"chimera/engine/reference"
)

// Random programs give what their evaluation in float64 does, and the same bytes with every instruction set and
// number of threads.
func TestReference(t *testing.T) {
	var backends []engine.Backend
	for _, o := range []cgo.Options{{ISA: "scalar", Threads: 1}, {ISA: "avx2", Threads: 3}, {ISA: "avx512f", Threads: 2}, {ISA: "avx512vnni", Threads: 2}} {
		if !cgo.HasISA(o.ISA) {
			t.Logf("%s: this machine does not have it", o.ISA)
			continue
		}
		b, err := cgo.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
		backends = append(backends, b)
	}
	reference.Check(t, backends...)
}
