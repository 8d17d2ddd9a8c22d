package weights

import (
	"errors"
	"testing"
)

// FuzzGGUF: any bytes give a file that can be read through, or a *FormatError that names a field.
func FuzzGGUF(f *testing.F) {
	f.Add(sample(2))
	f.Add(sample(3))
	f.Add(begin(3, 0, 0).b)
	f.Add(tensorOf(Q8_0, 0, 32))
	f.Add(tensorOf(IQ4_XS, 0, 256))
	f.Add(keyOf(nested))
	f.Add(keyOf(func(r *raw) { r.key("general.alignment", Uint32).u32(1 << 20) }))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("m.gguf", data)
		var format *FormatError
		switch {
		case err != nil && (!errors.As(err, &format) || format.Field == ""):
			t.Fatalf("%v", err)
		case err != nil:
			return
		}
		for _, x := range file.Tensors() {
			if err := file.Pieces(x, func([]byte) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		usable(file)
	})
}
