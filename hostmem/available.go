package hostmem

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// This file owns the question how much memory there is to take.

// Available returns how many bytes can still be taken, and what bounds them: the machine
// (MemAvailable) or the control group (memory.max of any level of cgroup v2).
func Available() (bytes int64, bound string) {
	bytes, bound = memAvailable("/proc/meminfo"), "the machine's free memory"
	if left, ok := cgroupLeft("/sys/fs/cgroup", ownCgroup("/proc/self/cgroup")); ok && (bytes == 0 || left < bytes) {
		return left, "the control group's memory.max"
	}
	return bytes, bound
}

func memAvailable(path string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// ownCgroup is this process's path in the unified hierarchy.
func ownCgroup(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "/"
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "0::"); ok {
			return rest
		}
	}
	return "/"
}

// cgroupLeft is the smallest memory.max - memory.current from the group up to the root.
func cgroupLeft(root, group string) (left int64, found bool) {
	for dir := filepath.Join(root, group); strings.HasPrefix(dir, root); dir = filepath.Dir(dir) {
		limit, errLimit := readInt(filepath.Join(dir, "memory.max"))
		used, errUsed := readInt(filepath.Join(dir, "memory.current"))
		if errLimit != nil || errUsed != nil {
			continue // "max", or no such controller
		}
		if free := max(limit-used, 0); !found || free < left {
			left, found = free, true
		}
	}
	return left, found
}

func readInt(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
