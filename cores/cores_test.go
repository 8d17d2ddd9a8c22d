package cores

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

// This file owns tests over trees like those of machines and containers.

// tree is a machine's files.
type tree fstest.MapFS

func (m tree) add(name, text string) tree {
	m[name] = &fstest.MapFile{Data: []byte(text)}
	return m
}

// machine has cores whose threads are the lists; their CPUs are online but for those of offline.
func machine(cores []string, offline ...int) tree {
	m, online := tree{}, ""
	for _, list := range cores {
		threads, _ := parseList(list)
		for _, cpu := range threads {
			if !slices.Contains(offline, cpu) {
				m.add(fmt.Sprintf("%s/cpu%d/topology/core_cpus_list", sysCPU, cpu), list+"\n")
				online += fmt.Sprintf(",%d", cpu)
			}
		}
	}
	return m.add(sysCPU+"/online", online[1:]+"\n")
}

// group gives the machine a control group of v2, with cpu.max at some of its levels.
func (m tree) group(path string, limits map[string]string) tree {
	m.add("proc/self/cgroup", "0::"+path+"\n").add("sys/fs/cgroup/cgroup.controllers", "cpu memory\n")
	for at, text := range limits {
		m.add("sys/fs/cgroup"+at+"/cpu.max", text+"\n")
	}
	return m
}

var (
	four       = []string{"0", "1", "2", "3"}
	fourOfTwo  = []string{"0,4", "1,5", "2,6", "3,7"} // second threads last
	neighbours = []string{"0-1", "2-3", "4-5", "6-7"}
	unlike     = []string{"0-1", "2-3", "4", "5", "6", "7"} // two cores of two threads, four of one
)

const (
	byMachine  = "the machine's cores"
	byAffinity = "the CPUs that the process may run on"
	byQuota    = "the control group's CPU quota"
)

func cpus(first, last int) (list []int) {
	for i := first; i <= last; i++ {
		list = append(list, i)
	}
	return list
}

func TestAvailable(t *testing.T) {
	old := machine(fourOfTwo)
	for name, file := range machine(fourOfTwo) {
		if cpu, found := strings.CutSuffix(name, "core_cpus_list"); found {
			delete(old, name)
			old[cpu+"thread_siblings_list"] = file
		}
	}
	broken := machine(fourOfTwo)
	for i, text := range []string{"", "x", "9", "1-", "-1", "0-99999999", "7,3", "3,7"} {
		broken.add(fmt.Sprintf("%s/cpu%d/topology/core_cpus_list", sysCPU, i), text)
	}
	for _, c := range []struct {
		name  string
		m     tree
		mask  []int
		want  int
		bound string
	}{
		{"four cores", machine(four), cpus(0, 3), 4, byMachine},
		{"four cores of two threads", machine(fourOfTwo), cpus(0, 7), 4, byMachine},
		{"threads of a core are neighbours", machine(neighbours), cpus(0, 7), 4, byMachine},
		{"cores with and without second threads", machine(unlike), cpus(0, 7), 6, byMachine},
		{"an old kernel", old, cpus(0, 7), 4, byMachine},
		{"nothing known of the machine", tree{}, cpus(0, 7), 8, byMachine},
		{"nothing known at all", tree{}, nil, 1, byMachine},

		{"the first thread of each core", machine(neighbours), []int{0, 2, 4, 6}, 4, byMachine},
		{"both threads of two cores", machine(neighbours), cpus(4, 7), 2, byAffinity},
		{"one CPU", machine(fourOfTwo), []int{5}, 1, byAffinity},
		{"an offline core", machine(four, 3), cpus(0, 3), 3, byMachine},
		{"an offline second thread", machine(fourOfTwo, 7), cpus(0, 7), 4, byMachine},
		{"online is malformed", machine(fourOfTwo).add(sysCPU+"/online", "0-x\n"), cpus(0, 7), 4, byMachine},
		{"lists are malformed", broken, cpus(0, 7), 7, byMachine}, // but for 3 and 7

		{"no quota", machine(four).group("/a/b", map[string]string{"/a/b": "max 100000", "/a": "max 100000"}), cpus(0, 3), 4, byMachine},
		{"a quota of 2", machine(four).group("/a", map[string]string{"/a": "200000 100000"}), cpus(0, 3), 2, byQuota},
		{"of 1.5", machine(four).group("/a", map[string]string{"/a": "150000 100000"}), cpus(0, 3), 2, byQuota},
		{"of 2.00001", machine(four).group("/a", map[string]string{"/a": "200001 100000"}), cpus(0, 3), 3, byQuota},
		{"of 0.1", machine(four).group("/a", map[string]string{"/a": "1000 10000"}), cpus(0, 3), 1, byQuota},
		{"of as many as there are", machine(four).group("/a", map[string]string{"/a": "400000 100000"}), cpus(0, 3), 4, byMachine},
		{"of more", machine(four).group("/a", map[string]string{"/a": "9223372036854775807 1"}), cpus(0, 3), 4, byMachine},
		{"of a group around it", machine(four).group("/a/b/c", map[string]string{"/a/b/c": "300000 100000", "/a": "100000 100000"}), cpus(0, 3), 1, byQuota},
		{"of its own alone", machine(four).group("/a/b", map[string]string{"/a/b": "100000 100000", "/a": "300000 100000"}), cpus(0, 3), 1, byQuota},
		{"of the root, in a container", machine(four).group("/", map[string]string{"": "300000 100000"}), cpus(0, 3), 3, byQuota},
		{"whose path is not seen", machine(four).group("/docker/x", map[string]string{"": "300000 100000"}), cpus(0, 3), 3, byQuota},
		{"of another group", machine(four).group("/a", map[string]string{"/b": "100000 100000"}), cpus(0, 3), 4, byMachine},
		{"above the affinity", machine(four).group("/a", map[string]string{"/a": "300000 100000"}), cpus(0, 1), 2, byAffinity},
	} {
		if n, bound := available(fstest.MapFS(c.m), c.mask); n != c.want || bound != c.bound {
			t.Errorf("%s: %d, bound by %s; want %d by %s", c.name, n, bound, c.want, c.bound)
		}
	}
}

func TestQuotaIsMalformed(t *testing.T) {
	for _, text := range []string{"", "max", "max max", "100000", "100000 ", "x 100000", "100000 x", "0 100000", "-1 100000", "100000 0", "100000 -5",
		"99999999999999999999 100000", "1e5 1e5", "100000  100000"} {
		if n, bound := available(fstest.MapFS(machine(four).group("/a", map[string]string{"/a": text})), cpus(0, 3)); n != 4 {
			t.Errorf("cpu.max %q: %d, bound by %s", text, n, bound)
		}
	}
}

// TestQuotaOfVersion1: alone, or beside version 2, which then has no CPU controller.
func TestQuotaOfVersion1(t *testing.T) {
	const folder = "sys/fs/cgroup/cpu,cpuacct"
	legacy := func(hybrid bool, limits ...string) tree { // of /a/b, /a and the root: "quota period"
		m := machine(four)
		own := "5:cpu,cpuacct:/a/b\n4:memory:/m\n1:name=systemd:/a/b\n"
		if hybrid {
			own += "0::/s\n"
			m.add("sys/fs/cgroup/unified/cgroup.controllers", "").add("sys/fs/cgroup/unified/s/cpu.stat", "")
		}
		m.add("proc/self/cgroup", own)
		for i, at := range []string{"/a/b", "/a", ""}[:len(limits)] {
			var quota, period string
			fmt.Sscan(limits[i], &quota, &period)
			m.add(folder+at+"/cpu.cfs_quota_us", quota+"\n").add(folder+at+"/cpu.cfs_period_us", period+"\n")
		}
		return m
	}
	for name, c := range map[string]struct {
		m    tree
		want int
	}{
		"no quota":             {legacy(false, "-1 100000", "-1 100000", "-1 100000"), 4},
		"its own":              {legacy(false, "250000 100000", "-1 100000"), 3},
		"of the group around":  {legacy(false, "-1 100000", "150000 100000"), 2},
		"the smallest":         {legacy(false, "300000 100000", "50000 50000", "400000 100000"), 1},
		"hybrid":               {legacy(true, "150000 100000"), 2},
		"hybrid, without":      {legacy(true, "-1 100000"), 4},
		"no period":            {legacy(false, "100000"), 4},
		"the path is not seen": {legacy(false).add(folder+"/cpu.cfs_quota_us", "100000").add(folder+"/cpu.cfs_period_us", "50000"), 2},
	} {
		if n, bound := available(fstest.MapFS(c.m), cpus(0, 3)); n != c.want || (n < 4) != (bound == byQuota) {
			t.Errorf("%s: %d, bound by %s; want %d", name, n, bound, c.want)
		}
	}
}

// The process may take a second a second of each CPU that it may run on, within its quota.
func TestUsable(t *testing.T) {
	half := machine(fourOfTwo).group("/a", map[string]string{"/a": "150000 100000"})
	for _, c := range []struct {
		m    tree
		mask []int
		want float64
	}{
		{machine(fourOfTwo), cpus(0, 7), 8}, {machine(fourOfTwo), cpus(0, 2), 3}, {machine(fourOfTwo, 7), cpus(0, 7), 7}, {half, cpus(0, 7), 1.5}, {half, cpus(0, 0), 1}, {tree{}, nil, 1},
	} {
		if got := usable(fstest.MapFS(c.m), c.mask); got != c.want {
			t.Errorf("%v of %v: %v, want %v", c.mask, c.m, got, c.want)
		}
	}
}

// On this machine: what affinity allows, and it follows when that is narrowed.
func TestThisMachine(t *testing.T) {
	n, bound := Available()
	if n < 1 || n > runtime.NumCPU() || bound == "" {
		t.Errorf("%d, bound by %q, of %d CPUs", n, bound, runtime.NumCPU())
	}
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(unix.Getpid(), &before); err != nil {
		t.Skip(err)
	}
	one.Set(allowed()[0])
	if err := unix.SchedSetaffinity(unix.Getpid(), &one); err != nil {
		t.Skip(err)
	}
	n, _ = Available()
	if err := unix.SchedSetaffinity(unix.Getpid(), &before); err != nil {
		t.Fatal(err)
	}
	if n != 1 {
		t.Errorf("%d cores of one CPU", n)
	}
}
