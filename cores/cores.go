// Package cores says how many threads of pure computing this process has room for.
//
// Such threads wait for one another at barriers, so one too many costs more than one too few: two of them on
// one core take turns, and one that the control group's quota stops halts all. What a second thread of a core
// adds to arithmetic is little, hence physical cores.
package cores

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// This file owns the question how many, and counting cores.

// Available returns how many cores the process may compute on, at least 1, and what bounds them: the machine,
// the CPUs that the process may run on, or its control groups' quota.
func Available() (n int, bound string) {
	return available(os.DirFS("/"), allowed())
}

// available is Available on the machine that fsys shows, for a process that may run on the CPUs of mask.
func available(fsys fs.FS, mask []int) (n int, bound string) {
	online := onlineCPUs(fsys, mask)
	n, bound = physical(fsys, online), "the machine's cores"
	if total := physical(fsys, onlineCPUs(fsys, nil)); n < total {
		bound = "the CPUs that the process may run on"
	}
	// A quota of 1.5 keeps two threads running three quarters of the time.
	if quota, ok := quota(fsys); ok && math.Ceil(quota) < float64(n) {
		n, bound = int(math.Ceil(quota)), "the control group's CPU quota"
	}
	return max(n, 1), bound
}

// Usable is how many CPU seconds the process may take a second: of each CPU that it may run on one, the second threads of cores too, within the
// control groups' quota.
func Usable() float64 { return usable(os.DirFS("/"), allowed()) }

func usable(fsys fs.FS, mask []int) float64 {
	n := max(1, float64(len(onlineCPUs(fsys, mask))))
	if quota, ok := quota(fsys); ok {
		n = min(n, quota)
	}
	return n
}

// allowed lists the CPUs that the process may run on: its affinity, within its cpuset.
func allowed() (cpus []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(os.Getpid(), &set) != nil { // more CPUs than the set holds
		for i := range runtime.NumCPU() {
			cpus = append(cpus, i)
		}
		return cpus
	}
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpus
}

const sysCPU = "sys/devices/system/cpu"

// onlineCPUs is mask without the CPUs that are offline; of no mask, all that are online. Where the machine
// doesn't say, mask is what there is.
func onlineCPUs(fsys fs.FS, mask []int) (cpus []int) {
	text, err := fs.ReadFile(fsys, path.Join(sysCPU, "online"))
	online, ok := parseList(string(text))
	if err != nil || !ok {
		return mask
	}
	if mask == nil {
		mask = online
	}
	is := map[int]bool{}
	for _, cpu := range online {
		is[cpu] = true
	}
	for _, cpu := range mask {
		if is[cpu] {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// physical counts the cores that the CPUs are threads of.
func physical(fsys fs.FS, cpus []int) int {
	cores := map[int]bool{}
	for _, cpu := range cpus {
		cores[coreOf(fsys, cpu)] = true
	}
	return len(cores)
}

// coreOf names a CPU's core by the first of its threads; a CPU whose core is not known is one of its own.
func coreOf(fsys fs.FS, cpu int) int {
	for _, name := range []string{"core_cpus_list", "thread_siblings_list"} { // the second: before Linux 5.3
		text, err := fs.ReadFile(fsys, path.Join(sysCPU, "cpu"+strconv.Itoa(cpu), "topology", name))
		if err != nil {
			continue
		}
		threads, ok := parseList(string(text))
		first, own := cpu, false
		for _, t := range threads {
			first, own = min(first, t), own || t == cpu
		}
		if ok && own {
			return first
		}
	}
	return cpu
}

// maxCPU bounds what a list may name; Linux is built for 8192 CPUs at most.
const maxCPU = 1 << 16

// parseList reads a list as sysfs writes it: "0-3,8,10-11".
func parseList(text string) (cpus []int, ok bool) {
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		last := first
		if isRange && err == nil {
			last, err = strconv.Atoi(to)
		}
		if err != nil || first < 0 || last < first || last >= maxCPU || len(cpus) > maxCPU {
			return nil, false
		}
		for cpu := first; cpu <= last; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, true
}
