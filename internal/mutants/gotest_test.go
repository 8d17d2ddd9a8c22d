package main

import (
	"testing"
	"time"
)

// A test that a mutant has wait for ever is given up after ten times its usual, not after what the slowest of all may take.
func TestLimit(t *testing.T) {
	g := goTest{timeout: 3 * time.Minute, usual: map[string]time.Duration{
		"api.TestQuick": 100 * time.Millisecond, "api.TestSlow": 4 * time.Second, "cgo.TestSlowest": time.Minute,
	}}
	for name, c := range map[string]struct {
		pkg   string
		tests []string
		want  time.Duration
	}{
		"quick":              {"api", []string{"TestQuick"}, 21 * time.Second},
		"one after another":  {"api", []string{"TestQuick", "TestSlow"}, 61 * time.Second},
		"never above all's":  {"cgo", []string{"TestSlowest"}, 3 * time.Minute},
		"one is not known":   {"api", []string{"TestQuick", "TestNew"}, 3 * time.Minute},
		"of another package": {"cgo", []string{"TestQuick"}, 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			if got := g.limit(c.pkg, c.tests); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// What tests take is read from the run without a mutant.
func TestUsualIsMeasured(t *testing.T) {
	g := goTest{dir: "testdata/toy", timeout: time.Minute, usual: map[string]time.Duration{}}
	if err := g.baseline(t.Context(), []mutant{edit(weak, func(m *mutant) { m.tests = []string{"TestTwice", "TestAnswer"} })}); err != nil {
		t.Fatal(err)
	}
	if _, known := g.usual["value.TestTwice"]; !known || g.limit("value", []string{"TestTwice", "TestAnswer"}) >= g.timeout {
		t.Errorf("usual: %v", g.usual)
	}
}
