package main

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What make hands over is what it says: once the commas of a list ended a function's argument, and bench-serve measured its first row alone.
func TestMakefileNamesRows(t *testing.T) {
	for target, want := range map[string][]string{
		"bench":       {"engine", "unique-1", "unique-8"},
		"bench-serve": {"unique-8", "unique-32", "repeated-8", "repeated-32", "started-8", "started-32", "shared", "long", "overload", "tenants", "models"},
	} {
		out, err := exec.Command("make", "-C", "../..", "-n", target).CombinedOutput()
		if err != nil {
			t.Fatalf("make -n %s: %v\n%s", target, err, out)
		}
		m := regexp.MustCompile(`-rows (\S+)`).FindSubmatch(out)
		if m == nil {
			t.Fatalf("make %s gives no rows:\n%s", target, out)
		}
		if got := strings.Split(string(m[1]), ","); !slices.Equal(got, want) {
			t.Errorf("make %s measures %v, want %v", target, got, want)
		}
		if _, err := selectRows(string(m[1])); err != nil {
			t.Errorf("make %s: %v", target, err)
		}
	}
}
