//go:build cuda

package cuda

import (
	"bytes"
	"errors"
	"testing"

	"chimera/engine"
)

// Logits that are no numbers are told of the sequence that has them, as on the CPU, and of no other.
func TestNotFiniteAsOnTheCPU(t *testing.T) {
	p, w := odd(t)
	const spoilt = 5
	row := w["embed"].Data[spoilt*w["embed"].RowBytes:]
	row[0], row[1] = 0xff, 0x7f // the first block's scale is NaN
	var answers [2][]byte
	for i, b := range []engine.Backend{onCPU(t), gpu(t, "odd")} {
		in := load(t, b, p, w, options(p, engine.F32))
		batch := newBatch(t, in)
		for s, how := range sampling {
			o := how.output
			o.Row = place(t, batch, []int32{1, 2, spoilt - int32(s%2)}, 0, pagesFrom(10*s, 4, 1))
			ask(t, batch, o, how.penalties, how.biases)
		}
		run(t, in, batch)
		for s := range sampling {
			var wrong *engine.NotFiniteError
			if err := batch.OutputError(s); (err != nil) != (s%2 == 0) || err != nil && (!errors.As(err, &wrong) || wrong.Position != 2) {
				t.Errorf("backend %d, sequence %d: %v", i, s, err)
			}
		}
		for s := 1; s < len(sampling); s += 2 {
			answers[i] = append(answers[i], bytesOf(batch.Results[s:s+1])...)
		}
	}
	if !bytes.Equal(answers[0], answers[1]) {
		t.Error("the sequences beside them have other results than on the CPU")
	}
}
