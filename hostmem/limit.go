package hostmem

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// This file owns the limit on locked memory: RLIMIT_MEMLOCK, what is taken of it, and who stands above it.

// lockLimit says what stands against locking bytes more, and what to set; nil if nothing does.
func lockLimit(bytes int64) error {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) != nil || limit.Cur == unix.RLIM_INFINITY {
		return nil
	}
	locked, above := lockedBy("/proc/thread-self/status") // the right is the thread's
	page := int64(os.Getpagesize())
	need := locked + (bytes+page-1)/page*page
	if above || uint64(need) <= limit.Cur {
		return nil
	}
	kib := (need + 1023) >> 10
	return fmt.Errorf("RLIMIT_MEMLOCK is %d KiB, with this %d KiB would be locked: set LimitMEMLOCK=%dK or infinity in the unit, or ulimit -l %d, or grant CAP_IPC_LOCK",
		limit.Cur>>10, kib, kib, kib)
}

// lockedBy reads how many bytes a process has locked, and whether it has CAP_IPC_LOCK, which lifts the
// limit. A file that says neither means none and no.
func lockedBy(path string) (bytes int64, above bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "VmLck":
			kib, _ := strconv.ParseInt(strings.TrimSuffix(value, " kB"), 10, 64)
			bytes = kib << 10
		case "CapEff":
			capabilities, _ := strconv.ParseUint(value, 16, 64)
			above = capabilities>>unix.CAP_IPC_LOCK&1 != 0
		}
	}
	return bytes, above
}
