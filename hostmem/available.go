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
// (MemAvailable) or the control group (the limit of any level, of cgroup v2 or v1). Where neither is known bound is "";
// 0 bytes of a bound are a machine or group that is full.
func Available() (bytes int64, bound string) { return available(os.DirFS("/")) }

func available(fsys fs.FS) (bytes int64, bound string) {
	bytes, known := memAvailable(fsys, "proc/meminfo")
	if left, file, ok := cgroupLeft(fsys); ok && (!known || left < bytes) {
		return left, "the control group's " + file
	}
	if !known {
		return 0, ""
	}
	return bytes, "the machine's free memory"
}

func memAvailable(fsys fs.FS, name string) (bytes int64, known bool) {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return 0, false
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err == nil
		}
	}
	return 0, false
}

// limits are the files in which a version of control groups keeps a group's memory.
type limits struct {
	folders    []string // from the process's group up to the root
	most, used string
	// cache names the lines of memory.stat for file pages on the reclaim lists, of the group and those below it.
	cache [2]string
}

// unified are those of v2, legacy those of v1. A machine may have both, memory in one of them.
func unified(fsys fs.FS) limits {
	return limits{cgroup.Unified(fsys), "memory.max", "memory.current", [2]string{"inactive_file", "active_file"}}
}

func legacy(fsys fs.FS) limits {
	return limits{hierarchical(fsys, cgroup.Legacy(fsys, "memory")), "memory.limit_in_bytes", "memory.usage_in_bytes",
		[2]string{"total_inactive_file", "total_active_file"}}
}

// hierarchical are the groups that a process of the first is charged to: in v1 those above count only where they say so.
func hierarchical(fsys fs.FS, folders []string) []string {
	for i := 1; i < len(folders); i++ {
		if above, err := readInt(fsys, path.Join(folders[i], "memory.use_hierarchy")); err == nil && above == 0 {
			return folders[:i]
		}
	}
	return folders
}

// unlimited is less than v1 gives where there is no limit, and more than any machine has; v2 says "max".
const unlimited = 1 << 60

// cgroupLeft is the smallest difference of limit and use of the process's groups, and the file of that limit.
func cgroupLeft(fsys fs.FS) (left int64, file string, found bool) {
	for _, l := range []limits{unified(fsys), legacy(fsys)} {
		for _, folder := range l.folders {
			if free, ok := l.left(fsys, folder); ok && (!found || free < left) {
				left, file, found = free, l.most, true
			}
		}
	}
	return left, file, found
}

// left is what a group has left. Page cache is charged to it but given back when it is needed, so it counts as left: a
// model file that was just read or copied must not stand in its own way. In v1 memory.stat also tells the least limit
// of all groups above, of which a container sees none.
func (l limits) left(fsys fs.FS, folder string) (free int64, limited bool) {
	stat := readStat(fsys, path.Join(folder, "memory.stat"))
	most, err := readInt(fsys, path.Join(folder, l.most))
	if above, ok := stat["hierarchical_memory_limit"]; ok && (err != nil || above < most) {
		most, err = above, nil
	}
	used, errUsed := readInt(fsys, path.Join(folder, l.used))
	if err != nil || errUsed != nil || most >= unlimited { // no limit, or no such controller
		return 0, false
	}
	used -= stat[l.cache[0]] + stat[l.cache[1]]
	return min(max(most-used, 0), most), true
}

// readStat reads lines of a name and a number; none where there is no such file.
func readStat(fsys fs.FS, name string) map[string]int64 {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil
	}
	stat := map[string]int64{}
	for line := range strings.SplitSeq(string(text), "\n") {
		if name, value, ok := strings.Cut(line, " "); ok {
			if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
				stat[name] = n
			}
		}
	}
	return stat
}

func readInt(fsys fs.FS, name string) (int64, error) {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
