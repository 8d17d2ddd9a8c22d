package hostmem

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// This file owns tests of what the machine and control groups leave, over folders like theirs.

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMemAvailable(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  int64
		known bool
	}{
		{"MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:    8000000 kB\n", 8000000 << 10, true},
		{"MemAvailable: 0 kB\n", 0, true},
		{"MemTotal: 1 kB\n", 0, false}, {"MemAvailable: nonsense kB\n", 0, false}, {"MemAvailable:", 0, false}, {"", 0, false},
	} {
		fsys := fstest.MapFS{"meminfo": {Data: []byte(c.text)}}
		if got, known := memAvailable(fsys, "meminfo"); got != c.want || known != c.known {
			t.Errorf("%q: %d %v, want %d %v", c.text, got, known, c.want, c.known)
		}
	}
	if got, known := memAvailable(fstest.MapFS{}, "meminfo"); got != 0 || known {
		t.Errorf("no file: %d", got)
	}
}

// The tighter of machine and control group is named; a full one is not one that nobody knows.
func TestTheTighterBounds(t *testing.T) {
	const machine, group = "the machine's free memory", "the control group's memory.max"
	for _, c := range []struct {
		meminfo, max, used string
		want               int64
		bound              string
	}{
		{"MemAvailable: 2 kB\n", "", "", 2048, machine},
		{"MemAvailable: 2 kB\n", "1000\n", "400\n", 600, group},
		{"MemAvailable: 2 kB\n", "9000\n", "400\n", 2048, machine},
		{"MemAvailable: 2 kB\n", "1000\n", "1000\n", 0, group},
		{"MemAvailable: 0 kB\n", "1000\n", "400\n", 0, machine},
		{"", "1000\n", "400\n", 600, group},
		{"", "1000\n", "1000\n", 0, group},
		{"", "", "", 0, ""},
	} {
		fsys := fstest.MapFS{"proc/self/cgroup": {Data: []byte("0::/a\n")}, "sys/fs/cgroup/cgroup.controllers": {Data: []byte("memory\n")}}
		for name, text := range map[string]string{"proc/meminfo": c.meminfo, "sys/fs/cgroup/a/memory.max": c.max, "sys/fs/cgroup/a/memory.current": c.used} {
			if text != "" {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
		}
		if got, bound := available(fsys); got != c.want || bound != c.bound {
			t.Errorf("%+v: %d of %q", c, got, bound)
		}
	}
}

// The tightest level bounds, wherever it is; "max", missing files and a process above its limit are borne.
func TestCgroupLeft(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
		found bool
	}{
		{"none", nil, 0, false},
		{"all max", map[string]string{"a.slice/memory.max": "max\n", "a.slice/memory.current": "5\n"}, 0, false},
		{"own", map[string]string{"a.slice/b.service/memory.max": "1000\n", "a.slice/b.service/memory.current": "400\n"}, 600, true},
		{"the parent is tighter", map[string]string{
			"a.slice/b.service/memory.max": "1000\n", "a.slice/b.service/memory.current": "400\n",
			"a.slice/memory.max": "2000\n", "a.slice/memory.current": "1900\n",
		}, 100, true},
		{"the root, in a container", map[string]string{"memory.max": "500\n", "memory.current": "100\n"}, 400, true},
		{"page cache is given back when it is needed", map[string]string{
			"memory.max": "1000\n", "memory.current": "900\n",
			"memory.stat": "anon 300\nfile 600\ninactive_file 500\nactive_file 100\nslab 9\n",
		}, 700, true},
		{"more than allowed", map[string]string{"a.slice/memory.max": "100\n", "a.slice/memory.current": "300\n"}, 0, true},
		{"no current", map[string]string{"a.slice/memory.max": "100\n"}, 0, false},
		{"nonsense", map[string]string{"a.slice/memory.max": "x\n", "a.slice/memory.current": "1\n"}, 0, false},
	} {
		fsys := fstest.MapFS{
			"proc/self/cgroup":                 {Data: []byte("0::/a.slice/b.service\n")},
			"sys/fs/cgroup/cgroup.controllers": {Data: []byte("memory\n")},
		}
		for name, text := range c.files {
			fsys["sys/fs/cgroup/"+name] = &fstest.MapFile{Data: []byte(text)}
		}
		if left, file, found := cgroupLeft(fsys); left != c.want || found != c.found || (file == "memory.max") != c.found {
			t.Errorf("%s: %d %q %v, want %d %v", c.name, left, file, found, c.want, c.found)
		}
	}
}

// The limits of cgroup v1 count as those of v2 do.
func TestLegacyCgroupLeft(t *testing.T) {
	const none = "9223372036854771712\n" // what the kernel gives without a limit
	own, above := "memory/docker/x/memory.", "memory/docker/memory."
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
		found bool
	}{
		{"none", nil, 0, false},
		{"unlimited", map[string]string{own + "limit_in_bytes": none, own + "usage_in_bytes": "5\n", own + "stat": "hierarchical_memory_limit " + none}, 0, false},
		{"unlimited, on 32 bits more", map[string]string{own + "limit_in_bytes": "18446744073709551615\n", own + "usage_in_bytes": "5\n"}, 0, false},
		{"own", map[string]string{own + "limit_in_bytes": "1000\n", own + "usage_in_bytes": "400\n"}, 600, true},
		{"page cache, with that of groups below", map[string]string{
			own + "limit_in_bytes": "1000\n", own + "usage_in_bytes": "900\n",
			own + "stat": "cache 9\ninactive_file 1\nactive_file 2\nhierarchical_memory_limit 1000\ntotal_inactive_file 500\ntotal_active_file 100\n",
		}, 700, true},
		{"the parent is tighter", map[string]string{
			own + "limit_in_bytes": "1000\n", own + "usage_in_bytes": "400\n", above + "limit_in_bytes": "2000\n", above + "usage_in_bytes": "1900\n",
			above + "use_hierarchy": "1\n",
		}, 100, true},
		{"the parent does not count what is below it", map[string]string{
			own + "limit_in_bytes": "1000\n", own + "usage_in_bytes": "400\n", above + "limit_in_bytes": "2000\n", above + "usage_in_bytes": "1900\n",
			above + "use_hierarchy": "0\n",
		}, 600, true},
		{"a parent that a container does not see", map[string]string{
			"memory/memory.limit_in_bytes": none, "memory/memory.usage_in_bytes": "400\n", "memory/memory.stat": "hierarchical_memory_limit 1500\n",
		}, 1100, true},
		{"more than allowed", map[string]string{own + "limit_in_bytes": "100\n", own + "usage_in_bytes": "300\n"}, 0, true},
		{"nonsense", map[string]string{own + "limit_in_bytes": "x\n", own + "usage_in_bytes": "1\n", own + "stat": "x\nhierarchical_memory_limit x\n"}, 0, false},
		{"v2 without the controller beside it", map[string]string{
			own + "limit_in_bytes": "1000\n", own + "usage_in_bytes": "400\n", "unified/cgroup.controllers": "\n", "unified/docker/x/cgroup.procs": "1\n",
		}, 600, true},
	} {
		fsys := fstest.MapFS{"proc/self/cgroup": {Data: []byte("9:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n0::/docker/x\n")}}
		for name, text := range c.files {
			fsys["sys/fs/cgroup/"+name] = &fstest.MapFile{Data: []byte(text)}
		}
		if left, file, found := cgroupLeft(fsys); left != c.want || found != c.found || (file == "memory.limit_in_bytes") != c.found {
			t.Errorf("%s: %d %q %v, want %d %v", c.name, left, file, found, c.want, c.found)
		}
	}
}

func TestAvailable(t *testing.T) {
	bytes, bound := Available()
	if bytes <= 0 || bound == "" {
		t.Errorf("%d bytes, bound by %q", bytes, bound)
	}
}
