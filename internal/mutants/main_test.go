package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// This file owns tests of the tool itself, on a toy module, and of the list's freshness.

// mutants of the toy, by what becomes of them.
var (
	killed  = mutant{name: "killed", file: "value/value.go", old: "2 * n", new: "3 * n", pkg: "value", tests: []string{"TestTagged"}, tags: "tagged"}
	weak    = mutant{name: "weak", file: "value/value.go", old: "2 * n", new: "3 * n", pkg: "value", tests: []string{"TestTwice"}}
	half    = mutant{name: "half", file: "value/value.go", old: "2 * n", new: "3 * n", pkg: "value", tests: []string{"TestTwice", "TestTagged"}, tags: "tagged"}
	header  = mutant{name: "header", file: "value/value.h", old: "42", new: "41", pkg: "value", tests: []string{"TestAnswer"}}
	beside  = mutant{name: "beside", file: "value/value.h", old: "42", new: "41", pkg: "value/valuetest", tests: []string{"TestAnswer"}}
	other   = mutant{name: "other", file: "value/value.h", old: "42", new: "43", pkg: "value/valuetest", tests: []string{"TestAnswer"}}
	crash   = mutant{name: "crash", file: "value/value.h", old: "return 42", new: "return *(volatile int *)8", pkg: "value", tests: []string{"TestAnswer"}}
	endless = mutant{name: "endless", file: "value/value.go", old: "n--", new: "", pkg: "value", tests: []string{"TestCount", "TestAfterCount"}}
	broken  = mutant{name: "broken", file: "value/value.go", old: "2 * n", new: "2 *", pkg: "value", tests: []string{"TestTwice"}}
	brokenC = mutant{name: "broken-c", file: "value/value.h", old: "42", new: "x", pkg: "value/valuetest", tests: []string{"TestAnswer"}}
)

func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		list []mutant
		args []string
		code int
		says []string
	}{
		"all are killed": {[]mutant{killed, header, beside, other, crash}, nil, 0,
			[]string{"killed killed", "header killed", "beside killed", "other killed", "crash killed", "5 mutants, 0 survived", "by TestTagged"}},
		"one survives":                   {[]mutant{weak, killed}, nil, 1, []string{"weak survived", "TestTwice did not notice", "killed killed", "2 mutants, 1 survived"}},
		"one test of two does not fail":  {[]mutant{half}, nil, 1, []string{"half survived", "TestTwice did not notice"}},
		"one by name":                    {[]mutant{weak, killed}, []string{"killed"}, 0, []string{"1 mutants, 0 survived"}},
		"out of time":                    {[]mutant{endless}, []string{"-timeout", "3s"}, 0, []string{"endless killed", "by TestCount TestAfterCount"}},
		"it does not compile":            {[]mutant{broken, brokenC, weak}, nil, 2, []string{"broken: it does not compile", "broken-c: it does not compile", "weak survived"}},
		"no such name":                   {[]mutant{weak}, []string{"none"}, 2, []string{"no mutant is named none"}},
		"no such flag":                   {[]mutant{weak}, []string{"-none"}, 2, []string{"usage: mutants"}},
		"a test that fails anyway":       {[]mutant{edit(weak, func(m *mutant) { m.tests = []string{"TestFails"} })}, nil, 2, []string{"without a mutant: value: TestFails must pass", "value_test.go:25: always"}},
		"a test that is skipped":         {[]mutant{edit(weak, func(m *mutant) { m.tests = []string{"TestSkips"} })}, nil, 2, []string{"without a mutant: TestSkips is skipped"}},
		"a test of another build":        {[]mutant{edit(weak, func(m *mutant) { m.tests = []string{"TestTagged"} })}, nil, 2, []string{"without a mutant: no test ran"}},
		"the text is gone":               {[]mutant{edit(weak, func(m *mutant) { m.old = "5 * n" })}, nil, 2, []string{`weak: value/value.go holds "5 * n" 0 times`}},
		"the text is there twice":        {[]mutant{edit(weak, func(m *mutant) { m.old = "return" })}, nil, 2, []string{`holds "return" 3 times`}},
		"the file is gone":               {[]mutant{edit(weak, func(m *mutant) { m.file = "value/none.go" })}, nil, 2, []string{"weak: ", "none.go"}},
		"the test is gone":               {[]mutant{edit(weak, func(m *mutant) { m.tests = []string{"TestNone"} })}, nil, 2, []string{"weak: value has no test TestNone"}},
		"nothing changes, nothing fails": {[]mutant{edit(weak, func(m *mutant) { m.tests = nil })}, nil, 2, []string{"weak: it changes nothing"}},
		"a name stands twice":            {[]mutant{weak, weak}, nil, 2, []string{"weak: it stands twice"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if code := run(t.Context(), "testdata/toy", c.list, c.args, &out); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			text := strings.Join(strings.Fields(out.String()), " ")
			for _, part := range c.says {
				if !strings.Contains(text, part) {
					t.Errorf("it does not say %q:\n%s", part, out.String())
				}
			}
		})
	}
}

func edit(m mutant, change func(*mutant)) mutant { change(&m); return m }

// The run ends when it is told to, and leaves neither the change nor the copy behind.
func TestStops(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	var out strings.Builder
	began := time.Now()
	if code := run(ctx, "testdata/toy", []mutant{endless}, nil, &out); code != exitBadList || time.Since(began) > time.Minute {
		t.Errorf("code %d after %s: %s", code, time.Since(began), out.String())
	}
	if left, _ := filepath.Glob(filepath.Join(temporary, "mutants*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	text, err := os.ReadFile("testdata/toy/value/value.go")
	if err != nil || !strings.Contains(string(text), "n--") {
		t.Errorf("the module itself was changed: %v", err)
	}
}

// The list speaks of the code as it stands; running it is left to make mutants.
func TestListIsFresh(t *testing.T) {
	if err := check("../..", list); err != nil {
		t.Error(err)
	}
}
