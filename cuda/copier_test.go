//go:build cuda

package cuda

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"chimera/bench"
	"chimera/cuda/cudatest"
	"chimera/engine"
	"chimera/hostmem"
)

// openCopier pins host memory too, as those do who measure.
func openCopier(t *testing.T, bytes int64) *Copier {
	t.Helper()
	pinned(t)
	c, err := OpenCopier(0, bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func noise(seed uint64, to []byte) {
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range to {
		to[i] = byte(r.Uint32())
	}
}

// What went there comes back, from memory of every kind and of any length.
func TestCopierMovesBytes(t *testing.T) {
	cudatest.Check(t)
	const most = 1<<20 + 4097
	c := openCopier(t, most)
	for _, options := range []hostmem.Option{0, hostmem.SmallPages, hostmem.Pinned, hostmem.WriteCombined} {
		r, err := hostmem.Alloc(hostmem.Other, most, options)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 4, 63, 4096, 65537, most} {
			there, back := make([]byte, n), r.Bytes()[:n]
			noise(uint64(n), there)
			copy(back, there)
			if err := errors.Join(c.RoundTrip(back), c.HostToDevice(back)); err != nil {
				t.Fatal(err)
			}
			clear(back)
			if err := c.DeviceToHost(back); err != nil || !bytes.Equal(back, there) {
				t.Errorf("options %b, %d bytes: %v, the same bytes: %v", options, n, err, bytes.Equal(back, there))
			}
		}
		if err := r.Free(); err != nil {
			t.Error(err)
		}
	}
	for _, n := range []int{0, most + 1} {
		if err := c.RoundTrip(make([]byte, n)); err == nil || !strings.Contains(err.Error(), "the copier was opened for 1 to") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// The benchmark's device rows, with the real calls below them.
func TestBenchMemoryOnTheDevice(t *testing.T) {
	cudatest.Check(t)
	const size = 4 << 20
	r, err := bench.Memory{Bytes: size, Copier: openCopier(t, size)}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pinned := 0
	for _, row := range r.Rows {
		if row.ToDevice == nil || row.ToDevice.Best <= 0 || row.FromDevice == nil || row.FromDevice.Best <= 0 || len(row.RoundTrips) == 0 {
			t.Errorf("%s has no device figures: %+v", row.Name, row)
		}
		if row.Pinned {
			pinned++
		}
	}
	if len(r.Rows) != 7 || pinned != 3 || r.Device != "GPU 0 (Fake GPU)" {
		t.Errorf("%d rows, %d of them pinned, on %q", len(r.Rows), pinned, r.Device)
	}
}

// A copy that fails says where; what was taken is given back, or lost with the device.
func TestCopierFails(t *testing.T) {
	for _, c := range []struct {
		call     string
		code     int
		poisoned bool
	}{{"cuMemAlloc_v2", 2, false}, {"cuStreamCreate", 2, false}, {"cuMemcpyHtoDAsync_v2", 700, true}, {"cuStreamSynchronize", 719, true}} {
		t.Run(c.call, func(t *testing.T) {
			cudatest.Reset()
			cudatest.Fault(t, c.call, 1, c.code, 0)
			copier, err := OpenCopier(0, 1<<16)
			if err == nil {
				err = copier.HostToDevice(make([]byte, 1<<16))
				if closing := copier.Close(); !errors.Is(closing, engine.ErrPoisoned) {
					t.Errorf("closing it: %v", closing)
				}
			}
			if err == nil || errors.Is(err, engine.ErrPoisoned) != c.poisoned || !strings.Contains(err.Error(), "while copying") {
				t.Errorf("%v", err)
			}
			if leaks := cudatest.Live().Leaks(); !c.poisoned && leaks != "" {
				t.Error(leaks)
			}
		})
	}
}
