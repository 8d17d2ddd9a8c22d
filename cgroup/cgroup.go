// Package cgroup finds this process's control groups: the folders whose files hold its limits, its own and
// those of all groups around it. What the files say is for their readers.
//
// Rejected: asking /proc/self/mountinfo where the hierarchies are mounted. They lie where systemd and every
// container runtime put them, below /sys/fs/cgroup, and a bind mount that hides the outer groups makes paths in
// /proc/self/cgroup name folders that are not there: walking up to the first that is, is right in both cases.
package cgroup

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

const top = "sys/fs/cgroup"

// Unified lists the folders of the process's group in the hierarchy of cgroup v2, innermost first, up to the
// root. fsys is the machine's, from "/" on. Not all of them need exist.
func Unified(fsys fs.FS) []string {
	root := top
	if _, err := fs.Stat(fsys, path.Join(top, "cgroup.controllers")); err != nil {
		root = path.Join(top, "unified") // beside the hierarchies of v1
	}
	for _, h := range hierarchies(fsys) {
		if h.controllers == "" {
			return upward(root, h.path)
		}
	}
	return []string{root}
}

// Legacy lists the folders of the process's group in the hierarchy of cgroup v1 that has the controller, like
// Unified; none where there is no such hierarchy.
func Legacy(fsys fs.FS, controller string) []string {
	for _, h := range hierarchies(fsys) {
		if slices.Contains(strings.Split(h.controllers, ","), controller) {
			return upward(path.Join(top, h.controllers), h.path)
		}
	}
	return nil
}

// hierarchy is a line of /proc/self/cgroup: "4:cpu,cpuacct:/system.slice", or "0::/system.slice" of v2.
type hierarchy struct{ controllers, path string }

func hierarchies(fsys fs.FS) (list []hierarchy) {
	text, err := fs.ReadFile(fsys, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if part := strings.SplitN(line, ":", 3); len(part) == 3 {
			list = append(list, hierarchy{part[1], part[2]})
		}
	}
	return list
}

// upward lists root/group and its parents down to root. A group outside the process's namespace begins with
// "/..": what is seen of it lies below root all the same.
func upward(root, group string) (folders []string) {
	for at := path.Clean("/" + group); at != "/"; at = path.Dir(at) {
		folders = append(folders, path.Join(root, at))
	}
	return append(folders, root)
}
