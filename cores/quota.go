package cores

import (
	"io/fs"
	"path"
	"strconv"
	"strings"

	"chimera/cgroup"
)

// This file owns reading the control groups' CPU quota.

// quota is the smallest quota of the process's control groups, of either version, in CPUs. A level without a quota, or one that can't be
// read, bounds nothing.
func quota(fsys fs.FS) (cpus float64, found bool) {
	take := func(n float64, ok bool) {
		if ok && (!found || n < cpus) {
			cpus, found = n, true
		}
	}
	for _, folder := range cgroup.Unified(fsys) { // "max 100000" or "150000 100000"
		quota, period, _ := strings.Cut(read(fsys, folder, "cpu.max"), " ")
		take(ratio(quota, period))
	}
	for _, folder := range cgroup.Legacy(fsys, "cpu") { // -1: none
		take(ratio(read(fsys, folder, "cpu.cfs_quota_us"), read(fsys, folder, "cpu.cfs_period_us")))
	}
	return cpus, found
}

func read(fsys fs.FS, folder, name string) string {
	text, err := fs.ReadFile(fsys, path.Join(folder, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// ratio is quota / period, both in microseconds.
func ratio(quota, period string) (cpus float64, ok bool) {
	q, errQuota := strconv.ParseInt(quota, 10, 64)
	p, errPeriod := strconv.ParseInt(period, 10, 64)
	if errQuota != nil || errPeriod != nil || q <= 0 || p <= 0 {
		return 0, false
	}
	return float64(q) / float64(p), true
}
