//go:build cuda

package cuda

import (
	"flag"
	"testing"

	"chimera/engine/reference"
)

// The emulated driver runs a program some ten times as slowly as the CPU's kernels do: fewer are tried, unless the
// command says how many.
func init() {
	if err := flag.Set("rapid.checks", "40"); err != nil {
		panic(err)
	}
}

// Random programs, in random batches and pages and with weights that are replaced, give what their evaluation in
// float64 does, and the CPU's bytes.
func TestReference(t *testing.T) {
	reference.Check(t, onCPU(t), gpu(t, "reference"))
}
