package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"chimera/hostmem"
)

// This file owns the single measurements of memory: what the CPU does to a region, and for how long.

// lineBytes is a cache line: what one access fetches.
const lineBytes = 64

// filling is what regions hold before they are read: the kernel's shared page of zeros would be measured otherwise.
const filling = 1

// timed adds how long f takes when it has just been done once already.
func timed(ctx context.Context, times *[]time.Duration, f func() error) error {
	if err := f(); err != nil {
		return err
	}
	began := time.Now()
	err := f()
	*times = append(*times, time.Since(began))
	return errors.Join(err, ctx.Err())
}

func fill(b []byte) {
	for i := range b {
		b[i] = filling
	}
}

// touch makes the kernel give every page.
func touch(b []byte) {
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = filling
	}
	b[len(b)-1] = filling
}

// read goes through b once, front to back, by the runtime's vector search for what is not there: a loop
// in Go would measure its own instructions.
func read(b []byte) error {
	if i := bytes.IndexByte(b, filling+1); i >= 0 {
		return fmt.Errorf("byte %d is not what was copied", i)
	}
	return nil
}

// A walk takes maxHops at most, more do not make the mean truer; a ring has maxLines at most, which
// spread over the region: 256 MiB of lines are beyond most caches.
const (
	maxHops  = 1 << 18
	maxLines = 4 << 20
)

// ring is a random order of lines in which each names the next, for regions of one size.
type ring struct {
	next   []uint32
	stride int // bytes between lines
}

// newRing shuffles by Sattolo's way: all lines are one cycle, so that a walk cannot settle in the caches.
func newRing(bytes int) ring {
	lines := min(bytes/lineBytes, maxLines)
	r := ring{make([]uint32, lines), bytes / lines / lineBytes * lineBytes}
	for i := range r.next {
		r.next[i] = uint32(i)
	}
	random := rand.New(rand.NewPCG(1, 0))
	for i := lines - 1; i > 0; i-- {
		j := random.IntN(i)
		r.next[i], r.next[j] = r.next[j], r.next[i]
	}
	return r
}

// hops is how long a walk is: at most half of the ring, so that two in a row meet no line twice.
func (r ring) hops() int { return min(len(r.next)/2, maxHops) }

// link writes into each line of b where the next begins.
func (r ring) link(b []byte) {
	for i, next := range r.next {
		binary.NativeEndian.PutUint64(b[i*r.stride:], uint64(next)*uint64(r.stride))
	}
}

// follow walks from a line so many lines on, each found only when the one before has come.
func follow(b []byte, at uint64, lines int) uint64 {
	for range lines {
		at = binary.NativeEndian.Uint64(b[at:])
	}
	return at
}

// hugeBytes is how much of a region lies in huge pages by now, as the kernel counts: advice is not yet a page.
func hugeBytes(r *hostmem.Region) int64 {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return 0
	}
	return min(hugeAt(string(text), uint64(uintptr(r.Pointer()))), int64(len(r.Bytes())))
}

// hugeAt finds the mapping of an address in the text of an smaps file. Mappings of one kind that touch
// are one to the kernel.
func hugeAt(smaps string, address uint64) int64 {
	inside := false
	for line := range strings.SplitSeq(smaps, "\n") {
		name, rest, _ := strings.Cut(line, " ")
		if from, to, ok := strings.Cut(name, "-"); ok {
			low, errLow := strconv.ParseUint(from, 16, 64)
			high, errHigh := strconv.ParseUint(to, 16, 64)
			inside = errLow == nil && errHigh == nil && low <= address && address < high
		}
		if inside && name == "AnonHugePages:" {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}
