package loader

import (
	"runtime/debug"
	"strings"
	"testing"

	"chimera/config"
	"chimera/engine"
)

// roomy is a backend that has so much memory.
type roomy struct {
	engine.Backend
	bytes int64
	bound string
}

func (r roomy) Available() (int64, string) { return r.bytes, r.bound }

// The heap counts where the backend's memory is the machine's, and not on a device that has its own.
func TestHeapIsPlanned(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		host, available, heap int64 // MiB
		ok                    bool
	}{{0, 100, 0, true}, {0, 110, 10, true}, {0, 109, 10, false}, {1, 100, 10, true}, {1, 99, 0, false}, {1, 100, 1 << 40, false}} {
		plan := &engine.Plan{WeightBytes: 60 * mib, KVBytes: 40 * mib, HostBytes: c.host * mib}
		err := CheckRoom(plan, roomy{bytes: c.available * mib, bound: "the test"}, c.heap*mib, 0)
		if (err == nil) != c.ok || err != nil && strings.Contains(err.Error(), "--max-body") != (c.heap > 0) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Room that is not known refuses nothing; no room at all does.
func TestNoRoomIsKnown(t *testing.T) {
	plan := &engine.Plan{WeightBytes: 1}
	if err := CheckRoom(plan, roomy{}, 0, 0); err != nil {
		t.Error(err)
	}
	if err := CheckRoom(plan, roomy{bound: "the control group's memory.max"}, 0, 0); err == nil {
		t.Error("a plan fits into a control group that is full")
	}
}

// The collector's limit is the plan's, unless the environment has another.
func TestHeapIsLimited(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	c := config.Default()
	if most := int64(1 << 30); HeapBytes(&c) < heapBase+int64(c.MaxBody) || HeapBytes(&c) > most {
		t.Errorf("%d MiB for the default settings", HeapBytes(&c)>>20)
	}
	t.Setenv("GOMEMLIMIT", "")
	LimitHeap(HeapBytes(&c))
	if got := debug.SetMemoryLimit(-1); got != HeapBytes(&c) {
		t.Errorf("%d bytes, want %d", got, HeapBytes(&c))
	}
	t.Setenv("GOMEMLIMIT", "1GiB")
	LimitHeap(1 << 40)
	if got := debug.SetMemoryLimit(-1); got != HeapBytes(&c) {
		t.Errorf("%d bytes, although the environment sets one", got)
	}
}
