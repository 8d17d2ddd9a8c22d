package hostmem

import (
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"chimera/cgroup"
)

// This file owns the question how much memory there is to take.

// Available returns how many bytes can still be taken, and what bounds them: the machine
// (MemAvailable) or the control group (memory.max of any level of cgroup v2).
func Available() (bytes int64, bound string) {
	bytes, bound = memAvailable("/proc/meminfo"), "the machine's free memory"
	if left, ok := cgroupLeft(os.DirFS("/")); ok && (bytes == 0 || left < bytes) {
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

// cgroupLeft is the smallest memory.max - memory.current from the process's group up to the root. Page cache is
// charged to the group but given back when it is needed, so it counts as left: a model file that was
// just read or copied must not stand in its own way.
func cgroupLeft(fsys fs.FS) (left int64, found bool) {
	for _, folder := range cgroup.Unified(fsys) {
		limit, errLimit := readInt(fsys, path.Join(folder, "memory.max"))
		used, errUsed := readInt(fsys, path.Join(folder, "memory.current"))
		if errLimit != nil || errUsed != nil {
			continue // "max", or no such controller
		}
		used -= pageCache(fsys, path.Join(folder, "memory.stat"))
		if free := min(max(limit-used, 0), limit); !found || free < left {
			left, found = free, true
		}
	}
	return left, found
}

// pageCache is what a group's memory.stat says of file pages on its reclaim lists; 0 if it does not.
func pageCache(fsys fs.FS, name string) (bytes int64) {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if name, value, ok := strings.Cut(line, " "); ok && (name == "inactive_file" || name == "active_file") {
			n, _ := strconv.ParseInt(value, 10, 64)
			bytes += n
		}
	}
	return bytes
}

func readInt(fsys fs.FS, name string) (int64, error) {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
