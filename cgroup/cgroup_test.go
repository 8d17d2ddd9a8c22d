package cgroup

import (
	"os"
	"slices"
	"testing"
	"testing/fstest"
)

// This file owns tests over trees like those of machines and containers.

func machine(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func TestFolders(t *testing.T) {
	const v2 = "sys/fs/cgroup/cgroup.controllers"
	for _, c := range []struct {
		name            string
		files           map[string]string
		unified, legacy []string // of the controller cpu
	}{
		{"v2", map[string]string{v2: "cpu memory", "proc/self/cgroup": "0::/a.slice/b.service\n"},
			[]string{"sys/fs/cgroup/a.slice/b.service", "sys/fs/cgroup/a.slice", "sys/fs/cgroup"}, nil},
		{"v2, a container's own root", map[string]string{v2: "", "proc/self/cgroup": "0::/\n"}, []string{"sys/fs/cgroup"}, nil},
		{"v1", map[string]string{"proc/self/cgroup": "12:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n"},
			[]string{"sys/fs/cgroup/unified"},
			[]string{"sys/fs/cgroup/cpu,cpuacct/docker/x", "sys/fs/cgroup/cpu,cpuacct/docker", "sys/fs/cgroup/cpu,cpuacct"}},
		{"hybrid", map[string]string{"proc/self/cgroup": "2:cpuacct:/x\n1:cpu:/y\n0::/z\n", "sys/fs/cgroup/unified/cgroup.controllers": ""},
			[]string{"sys/fs/cgroup/unified/z", "sys/fs/cgroup/unified"}, []string{"sys/fs/cgroup/cpu/y", "sys/fs/cgroup/cpu"}},
		{"outside the namespace", map[string]string{v2: "", "proc/self/cgroup": "0::/../../a\n"}, []string{"sys/fs/cgroup/a", "sys/fs/cgroup"}, nil},
		{"a colon in a name", map[string]string{v2: "", "proc/self/cgroup": "0::/a:b\n"}, []string{"sys/fs/cgroup/a:b", "sys/fs/cgroup"}, nil},
		{"nonsense", map[string]string{v2: "", "proc/self/cgroup": "x\n:\n4:cpuset:/x\n\n"}, []string{"sys/fs/cgroup"}, nil},
		{"nothing", nil, []string{"sys/fs/cgroup/unified"}, nil},
	} {
		fsys := machine(c.files)
		if got := Unified(fsys); !slices.Equal(got, c.unified) {
			t.Errorf("%s: v2 %q, want %q", c.name, got, c.unified)
		}
		if got := Legacy(fsys, "cpu"); !slices.Equal(got, c.legacy) {
			t.Errorf("%s: v1 %q, want %q", c.name, got, c.legacy)
		}
	}
}

// On the machine itself some folder is there, where any control groups are.
func TestThisMachine(t *testing.T) {
	if _, err := os.Stat("/sys/fs/cgroup"); err != nil {
		t.Skipf("no control groups: %v", err)
	}
	fsys := os.DirFS("/")
	for _, folder := range append(Unified(fsys), Legacy(fsys, "cpu")...) {
		if _, err := os.Stat("/" + folder); err == nil {
			return
		}
	}
	t.Errorf("none of %q and %q is there", Unified(fsys), Legacy(fsys, "cpu"))
}
