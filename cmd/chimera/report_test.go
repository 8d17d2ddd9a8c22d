package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// This file owns tests of the verb report: what it asks, where it writes, and its exit code.

func TestReportVerb(t *testing.T) {
	address, folder := fakeServer(t).URL, t.TempDir()
	for _, c := range []struct {
		args string
		code int
		out  string // on standard output, or in the file
		err  string
	}{
		{"", 0, "format=json.", ""},
		{"--since 15m", 0, "format=json\\&since=15m.", ""},
		{"--against 7d", 0, "against=7d\\&format=json\\&since=7d.", ""},
		{"--against 7d --since 1h", 0, "against=7d\\&format=json\\&since=1h.", ""},
		{"--out x.html", 0, "<h2 id=\"summary\">Executive Summary</h2>", ""},
		{"--out x.md", 0, "## Executive Summary", ""},
		{"--out X.JSON", 0, `"executive_summary": [`, ""},
		{"--fail-on missed", 1, "## Executive Summary", "objectives were missed: echo: qps"},
		{"--fail-on missed --out x.html", 1, "Executive Summary", "objectives were missed: echo: qps"},
		{"--out x", 2, "", "must end in"},
	} {
		args, file := strings.Fields("report "+c.args+" --server "+address), ""
		for i, arg := range args {
			if i > 0 && args[i-1] == "--out" {
				file = filepath.Join(folder, arg)
				args[i] = file
			}
		}
		r := runBinary(t, "", args...)
		got := r.out
		if file != "" && c.code < 2 {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got = string(text); r.out != "" {
				t.Errorf("%s: it prints %s", c.args, r.out)
			}
		}
		if r.code != c.code || !strings.Contains(got, c.out) || !strings.Contains(r.errors, c.err) {
			t.Errorf("%s: exit %d\n%s%s", c.args, r.code, got, r.errors)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "x")); err == nil {
		t.Error("a file whose form nobody knows was written")
	}
	if r := runBinary(t, "", "report", "--server", address, "--out", filepath.Join(folder, "none", "x.md")); r.code != 1 || !strings.Contains(r.errors, "no such file") {
		t.Errorf("exit %d: %s", r.code, r.errors)
	}
}
