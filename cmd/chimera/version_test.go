package main

import (
	"encoding/json"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	r := runBinary(t, "", "version")
	if !regexp.MustCompile(`^chimera \S+ \(go1\.\d+`).MatchString(r.out) {
		t.Errorf("%q", r.out)
	}
	for _, line := range []string{"commit: ", "date: ", "kernels built: cpu", "instruction sets: scalar", "architectures: "} {
		if !strings.Contains(r.out, "\n"+line) {
			t.Errorf("no %q in %q", line, r.out)
		}
	}
	if flag := runBinary(t, "", "--version"); flag.code != 0 || flag.out != r.out {
		t.Errorf("--version: %+v", flag)
	}
	var b build
	if err := json.Unmarshal([]byte(runBinary(t, "", "version", "--json").out), &b); err != nil || b.String()+"\n" != r.out {
		t.Errorf("--json: %v %+v", err, b)
	}
}

// What Go notes in a build from a checkout is what is said.
func TestBuildFromACheckout(t *testing.T) {
	var b build
	b.take(&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"}, {Key: "GOOS", Value: "linux"},
	}})
	if text := b.String(); !strings.Contains(text, "chimera v1.2.3 ") || !strings.Contains(text, "\ncommit: abc, modified\ndate: 2026-01-02T03:04:05Z\n") {
		t.Errorf("%q", text)
	}
}

// What the Makefile sets, where Go can't know, is said; its variables must be those of this package.
func TestBuildFromAnArchive(t *testing.T) {
	defer func(c, d string) { commit, date = c, d }(commit, date)
	commit, date = "def-modified", "2026-02-03"
	if b := thisBuild(); b.Commit != "def" || !b.Modified || b.Date != "2026-02-03" {
		t.Errorf("%+v", b)
	}
	commit = "def"
	if b := thisBuild(); b.Commit != "def" || b.Modified {
		t.Errorf("%+v", b)
	}
	makefile, err := os.ReadFile("../../Makefile")
	for _, part := range []string{"-X 'main.commit=", "-X 'main.date="} {
		if err != nil || !strings.Contains(string(makefile), part) {
			t.Errorf("the Makefile does not set %s (%v)", part, err)
		}
	}
}
