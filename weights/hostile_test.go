package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// memoryLimit is what opening a file that is not sound may cost.
const memoryLimit = 64 << 20

// cost runs f and returns what it allocated.
func cost(f func()) (bytes uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// refused opens path and checks the promise: a typed error that names file and field, cheap and quick.
func refused(t *testing.T, name, path, field string) {
	t.Helper()
	var err error
	began := time.Now()
	if took := cost(func() { _, err = Open(path) }); took > memoryLimit {
		t.Errorf("%s: %d bytes were allocated", name, took)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("%s: took %v", name, took)
	}
	var format *FormatError
	switch {
	case err == nil:
		t.Errorf("%s: the file was taken", name)
	case !errors.As(err, &format) || !strings.HasPrefix(err.Error(), path+": "):
		t.Errorf("%s: the error does not name the file: %v", name, err)
	case !strings.HasPrefix(format.Field, field) || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported):
		t.Errorf("%s: want field %q: %v", name, field, err)
	}
}

// one is a file with one tensor, which holds 64 bytes of data.
func one(r *raw) []byte { return r.data(32, 64) }

func tensorOf(t Type, offset uint64, shape ...uint64) []byte {
	return one(begin(3, 1, 0).tensor("w", t, offset, shape...))
}

func keyOf(build func(r *raw)) []byte {
	r := begin(3, 0, 1)
	build(r)
	return r.data(1, 64)
}

// nested is an array of arrays of arrays ...
func nested(r *raw) {
	r.key("k", Array)
	for range 1000 {
		r.u32(uint32(Array)).u64(1)
	}
}

func TestHostile(t *testing.T) {
	for _, c := range []struct {
		name, field string
		data        []byte
	}{
		{"empty", "magic", nil},
		{"49 bytes", "key 0", append(begin(3, 0, 1).b, bytes.Repeat([]byte{0xff}, 25)...)},
		{"wrong magic", "magic", append([]byte("GGML"), make([]byte, 60)...)},
		{"version 1", "version", begin(1, 0, 0).b},
		{"version 4", "version", begin(4, 0, 0).b},
		{"big-endian", "version", begin(3<<24, 0, 0).b},
		{"2^63 tensors", "tensor_count", begin(3, 1<<63, 0).b},
		{"2^64-1 tensors", "tensor_count", begin(3, 1<<64-1, 0).b},
		{"2^63 keys", "metadata_kv_count", begin(3, 0, 1<<63).b},
		{"more keys than fit", "metadata_kv_count", begin(3, 0, 2).key("k", Uint64).u64(1).b},
		{"name of 2^60 bytes", "key 0", begin(3, 0, 1).u64(1 << 60).bytes(make([]byte, 64)...).b},
		{"string of 2^60 bytes", "key k", keyOf(func(r *raw) { r.key("k", Text).u64(1 << 60) })},
		{"string of 2^64-1 bytes", "key k", keyOf(func(r *raw) { r.key("k", Text).u64(1<<64 - 1) })},
		{"unknown value type", "key k", keyOf(func(r *raw) { r.key("k", 13).u64(0) })},
		{"bool of 2", "key k", keyOf(func(r *raw) { r.key("k", Bool).u8(2) })},
		{"duplicate key", "key k", append(begin(3, 0, 2).key("k", Uint8).u8(1).key("k", Uint8).u8(1).b, make([]byte, 64)...)},
		{"array of 2^63 bytes", "key k", keyOf(func(r *raw) { r.array("k", Uint8, 1<<63) })},
		{"array of 2^61 strings", "key k", keyOf(func(r *raw) { r.array("k", Text, 1<<61) })},
		{"array of 2^62 doubles", "key k", keyOf(func(r *raw) { r.array("k", Float64, 1<<62) })},
		{"array of unknown type", "key k", keyOf(func(r *raw) { r.array("k", 99, 1) })},
		{"nested arrays", "key k", keyOf(nested)},
		{"dimension 2^42", "tensor w", tensorOf(F32, 0, 1<<42)},
		{"dimensions 2^21 x 2^21", "tensor w", tensorOf(F32, 0, 1<<21, 1<<21)},
		{"dimension 2^63", "tensor w", tensorOf(F32, 0, 1<<63)},
		{"dimensions that multiply to 0 mod 2^64", "tensor w", tensorOf(F32, 0, 1<<32, 1<<32)},
		{"dimensions that multiply to 4 mod 2^64", "tensor w", tensorOf(F32, 0, 1<<62+1, 4)},
		{"bytes that overflow", "tensor w", tensorOf(28, 0, 1<<21, 1<<20, 1<<20, 8)},
		{"dimension 0", "tensor w", tensorOf(F32, 0, 4, 0)},
		{"no dimensions", "tensor w", tensorOf(F32, 0)},
		{"five dimensions", "tensor w", tensorOf(F32, 0, 1, 1, 1, 1, 1)},
		{"2^32-1 dimensions", "tensor w", one(begin(3, 1, 0).text("w").u32(1<<32 - 1))},
		{"type 4, which is no more", "tensor w", tensorOf(4, 0, 32)},
		{"type 2^32-1", "tensor w", tensorOf(1<<32-1, 0, 32)},
		{"half a block", "tensor w", tensorOf(Q8_0, 0, 16)},
		{"offset at the end", "tensor w", tensorOf(F32, 64, 1)},
		{"offset beyond the end", "tensor w", tensorOf(F32, 1<<40, 1)},
		{"offset 2^64-32", "tensor w", tensorOf(F32, 1<<64-32, 1)},
		{"misaligned offset", "tensor w", tensorOf(F32, 4, 1)},
		{"overlap", "tensor b", one(begin(3, 2, 0).tensor("a", F32, 0, 9).tensor("b", F32, 32, 1))},
		{"overlap by one byte", "tensor b", one(begin(3, 2, 0).tensor("a", 24, 0, 33).tensor("b", 24, 32, 1))},
		{"the same bytes", "tensor", one(begin(3, 2, 0).tensor("a", F32, 32, 2).tensor("b", F32, 32, 2))},
		{"duplicate tensor", "tensor a", one(begin(3, 2, 0).tensor("a", F32, 0, 1).tensor("a", F32, 32, 1))},
		{"alignment 0", "key general.alignment", keyOf(func(r *raw) { r.key("general.alignment", Uint32).u32(0) })},
		{"alignment 48", "key general.alignment", keyOf(func(r *raw) { r.key("general.alignment", Uint32).u32(48) })},
		{"alignment 4", "key general.alignment", keyOf(func(r *raw) { r.key("general.alignment", Uint32).u32(4) })},
		{"alignment 2^21", "key general.alignment", keyOf(func(r *raw) { r.key("general.alignment", Uint32).u32(1 << 21) })},
		{"alignment 2^31", "key general.alignment", keyOf(func(r *raw) { r.key("general.alignment", Uint32).u32(1 << 31) })},
		{"alignment 2^63", "key general.alignment", keyOf(func(r *raw) { r.key("general.alignment", Uint64).u64(1 << 63) })},
		{"alignment a string", "key general.alignment", keyOf(func(r *raw) { r.key("general.alignment", Text).text("32") })},
		{"split.count a string", "key split.count", keyOf(func(r *raw) { r.key("split.count", Text).text("2") })},
		{"2^63 shards", "key split.count", keyOf(func(r *raw) { r.key("split.count", Uint64).u64(1 << 63) })},
		{"control characters", "key \x1b]0;", keyOf(func(r *raw) { r.key("\x1b]0;\n", 13) })},
		{"huge vocabulary", "key k", hugeStrings(4 << 20)},
		{"a huge list", "key k", append(begin(3, 0, 1).array("k", Uint8, 8<<20).b, make([]byte, 8<<20)...)},
		{"a huge text", "key k", append(begin(3, 0, 1).key("k", Text).u64(40<<20).b, make([]byte, 40<<20)...)},
		{"long names of many keys", "", manyKeys(60000)},
		{"100,000 tensors", "tensor_count", append(begin(3, 100000, 0).b, make([]byte, 3<<20)...)},
		{"long names of many tensors", "tensor", manyTensors(60000)},
	} {
		refused(t, c.name, write(t, "m.gguf", c.data), c.field)
	}
}

// TestAtTheLimits: what the table of hostile files goes beyond by one is read.
func TestAtTheLimits(t *testing.T) {
	for name, data := range map[string][]byte{
		"neighbours without a gap": one(begin(3, 2, 0).tensor("a", 24, 0, 32).tensor("b", 24, 32, 32)),
		"alignment 8":              keyOf(func(r *raw) { r.key("general.alignment", Uint32).u32(8) }),
		"alignment 2^20":           keyOf(func(r *raw) { r.key("general.alignment", Uint32).u32(1 << 20) }),
	} {
		f, err := Open(write(t, "m.gguf", data))
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func hugeStrings(n int) []byte {
	return append(begin(3, 0, 1).array("k", Text, uint64(n)).b, make([]byte, 8*n)...)
}

func manyKeys(n int) []byte {
	r := begin(3, 0, uint64(n))
	for i := range n {
		r.key(fmt.Sprintf("%01000d", i), Uint8).u8(0)
	}
	return r.b
}

func manyTensors(n int) []byte {
	r := begin(3, uint64(n), 0)
	for i := range n {
		r.tensor(fmt.Sprintf("%01000d", i), F32, 0, 1)
	}
	return r.data(32, 64)
}

// TestHeaderWithinLimits: a header near the limits is read, and costs no more than is promised.
func TestHeaderWithinLimits(t *testing.T) {
	r := begin(3, 30000, 1).array("k", Text, 600000)
	for i := range 600000 {
		r.text(fmt.Sprintf("%08d", i))
	}
	for i := range 30000 {
		r.tensor(fmt.Sprintf("blk.%d.weight", i), F32, uint64(i)*32, 8)
	}
	data := r.data(32, 30000*32)
	var f *File
	var err error
	if took := cost(func() { f, err = Parse("m.gguf", data) }); took > memoryLimit || err != nil {
		t.Fatalf("%d bytes, %v", took, err)
	}
	if k, _, _ := f.Metadata().Strings("k"); len(k) != 600000 || k[599999] != "00599999" || len(f.Tensors()) != 30000 {
		t.Errorf("%d strings, %d tensors", len(k), len(f.Tensors()))
	}
}

func TestErrorIsPrintable(t *testing.T) {
	_, err := Parse("m.gguf", keyOf(func(r *raw) { r.key("\x1b[2J\n"+strings.Repeat("x", 900), 13) }))
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\n") || len(err.Error()) > 400 {
		t.Errorf("%q", err)
	}
}

func TestHostilePaths(t *testing.T) {
	folder := t.TempDir()
	refused(t, "a folder", folder, "file")
	refused(t, "a device", "/dev/null", "file")
	if _, err := Open(filepath.Join(folder, "none.gguf")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), folder) {
		t.Errorf("no file: %v", err)
	}
	pipe := filepath.Join(folder, "pipe.gguf")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, "a pipe that nobody writes", pipe, "file")
	locked := write(t, "locked.gguf", sample(3))
	if err := os.Chmod(locked, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(locked); os.Geteuid() != 0 && (!errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), locked)) {
		t.Errorf("no permission: %v", err)
	}
}

func TestTruncatedAtEveryByte(t *testing.T) {
	data := sample(3)
	took := cost(func() {
		for n := range data {
			_, err := Parse("m.gguf", data[:n])
			var format *FormatError
			if !errors.As(err, &format) || format.Field == "" || !strings.HasPrefix(err.Error(), "m.gguf: ") {
				t.Errorf("%d of %d bytes: %v", n, len(data), err)
			}
		}
	})
	if took > memoryLimit {
		t.Errorf("%d bytes were allocated in all", took)
	}
}

// usable reads all that a parsed file holds, as a loader would.
func usable(f *File) {
	for _, key := range f.Metadata().Keys() {
		_, _, _ = f.Metadata().Ints(key)
	}
	for _, t := range f.Tensors() {
		values := make([]float32, t.Values())
		_ = f.Pieces(t, func(rows []byte) error {
			return Dequantize(t.Type, rows, values[:len(rows)/int(t.RowBytes())*int(t.Shape[0])])
		})
	}
}

func TestFlippedBits(t *testing.T) {
	for _, data := range [][]byte{sample(2), sample(3)} {
		for bit := range 8 * len(data) {
			flipped := bytes.Clone(data)
			flipped[bit/8] ^= 1 << (bit % 8)
			parseSoundly(t, flipped)
		}
	}
}

func TestRandomDamage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	extremes := []uint64{0, 1, 1<<31 - 1, 1 << 31, 1 << 42, 1<<63 - 1, 1 << 63, 1<<64 - 1}
	for range 20000 {
		data := sample(3)
		for range 1 + random.IntN(4) {
			switch random.IntN(3) {
			case 0:
				data[random.IntN(len(data))] = byte(random.Uint32())
			case 1:
				binary.LittleEndian.PutUint64(data[random.IntN(len(data)-8):], extremes[random.IntN(len(extremes))])
			case 2:
				binary.LittleEndian.PutUint32(data[random.IntN(len(data)-4):], uint32(random.IntN(40)))
			}
		}
		parseSoundly(t, data)
	}
}

// parseSoundly wants a sound file or a typed error, within the promised memory.
func parseSoundly(t *testing.T, data []byte) {
	t.Helper()
	f, err := Parse("m.gguf", data)
	var format *FormatError
	if err != nil && (!errors.As(err, &format) || format.Field == "") {
		t.Fatalf("%v", err)
	}
	if err == nil {
		usable(f)
	}
}
