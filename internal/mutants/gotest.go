package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// This file owns running go test and reading what became of each test.

// goTest runs tests of the module in dir.
type goTest struct {
	dir     string
	timeout time.Duration            // of one run's tests at most, without their building
	usual   map[string]time.Duration // what each test, PACKAGE.TEST, took without a mutant
}

// verdict tells which of the tests that were asked for failed. One that crashed or ran out of time has failed,
// and so have those behind it, which never began.
type verdict struct {
	failed, passed []string
	took           map[string]time.Duration // each that ended
	output         string                   // what all of them printed
}

// group is the tests of a package that some mutants are for, each once.
type group struct {
	pkg, tags string
	tests     []string
}

// grouped are the groups of a list, in its order.
func grouped(list []mutant) (groups []group) {
	for _, m := range list {
		i := slices.IndexFunc(groups, func(g group) bool { return g.pkg == m.pkg && g.tags == m.tags })
		if i < 0 {
			i, groups = len(groups), append(groups, group{pkg: m.pkg, tags: m.tags})
		}
		groups[i].tests = append(groups[i].tests, m.tests...)
	}
	for i := range groups {
		slices.Sort(groups[i].tests)
		groups[i].tests = slices.Compact(groups[i].tests)
	}
	return groups
}

// baseline holds every test of the list to pass without a change: one that fails anyway proves nothing.
func (g goTest) baseline(ctx context.Context, list []mutant) error {
	for _, of := range grouped(list) {
		v, err := g.run(ctx, of.pkg, of.tags, of.tests)
		if err != nil {
			return fmt.Errorf("without a mutant: %w", err)
		}
		if len(v.failed) > 0 {
			return fmt.Errorf("without a mutant: %s: %s must pass:\n%s", of.pkg, strings.Join(v.failed, " "), v.output)
		}
		g.note(of.pkg, v)
	}
	return nil
}

// note keeps what the tests of a package took without a mutant.
func (g goTest) note(pkg string, v verdict) {
	for test, took := range v.took {
		g.usual[pkg+"."+test] = took
	}
}

// limit is how long tests of a package may run before they count as failed: many mutants have one wait for ever. Ten times what they usually
// take, and 20 s for what a busy machine does to short ones.
func (g goTest) limit(pkg string, tests []string) time.Duration {
	limit := 20 * time.Second
	for _, test := range tests {
		usual, known := g.usual[pkg+"."+test]
		if !known {
			return g.timeout
		}
		limit += 10 * usual
	}
	return min(limit, g.timeout)
}

// event is what of go test's events counts here (go doc test2json).
type event struct {
	Action      string
	Test        string
	Elapsed     float64 // seconds, when it ends
	FailedBuild string
	Output      string
}

// buildFlags are what tests are built with. -trimpath: the build cache serves the next copy of the tree too. -vet=off: a mutant need not be
// tidy. -w: what debuggers read costs a second of the largest package's seven. A changed header builds all kernels: 26 s of two cores in
// place of 63 without their optimisation, which no byte depends on.
func buildFlags(tags string) []string {
	return []string{"-trimpath", "-vet=off", "-ldflags=-w", "-tags", tags + ",unoptimised"}
}

// run runs the tests. An error means that none was judged: they do not build, or one is skipped.
func (g goTest) run(ctx context.Context, pkg, tags string, tests []string) (verdict, error) {
	args := append([]string{"test", "-json", "-timeout", g.limit(pkg, tests).String(), "-run", pattern(tests)}, buildFlags(tags)...)
	var stdout, stderr bytes.Buffer
	c := g.command(ctx, "", "go", append(args, "./"+pkg)...)
	c.Stdout, c.Stderr = &stdout, &stderr
	failed, err := ended(c)
	if err != nil {
		return verdict{}, err
	}
	v, err := judgeEvents(&stdout, tests, failed)
	if err != nil {
		return v, fmt.Errorf("%w\n%s", err, stderr.String())
	}
	return v, nil
}

// build builds a package's tests, and tells why it can't.
func (g goTest) build(ctx context.Context, pkg, to string) error {
	out, err := g.command(ctx, "", "go", append(append([]string{"test", "-c", "-o", to}, buildFlags("")...), "./"+pkg)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// runBuilt runs tests of a package that were built, with a mutant in force, or none. test2json reads what they printed when they have ended:
// started by it, they and their processes would inherit that it ignores interrupts.
func (g goTest) runBuilt(ctx context.Context, binary, pkg, mutant string, tests []string) (verdict, error) {
	c := g.command(ctx, pkg, binary, "-test.v=test2json", "-test.paniconexit0", "-test.timeout", g.limit(pkg, tests).String(), "-test.run", pattern(tests))
	c.Env = append(c.Env, switchVariable+"="+mutant)
	var printed, events bytes.Buffer
	c.Stdout, c.Stderr = &printed, &printed
	failed, err := ended(c)
	if err != nil {
		return verdict{}, err
	}
	convert := g.command(ctx, "", "go", "tool", "test2json")
	convert.Stdin, convert.Stdout = &printed, &events
	if err := convert.Run(); err != nil {
		return verdict{}, err
	}
	return judgeEvents(&events, tests, failed)
}

// ended runs a command, and tells whether it failed; an error is that it did not run.
func ended(c *exec.Cmd) (failed bool, err error) {
	err = c.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return true, nil
	}
	return false, err
}

func pattern(tests []string) string { return "^(" + strings.Join(tests, "|") + ")$" }

// command is a program in a folder of the module.
func (g goTest) command(ctx context.Context, folder, program string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, program, args...)
	c.Dir = filepath.Join(g.dir, folder)
	c.Env = append(os.Environ(), "CGO_CFLAGS=-O1 -Wno-maybe-uninitialized")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) } // the test binary too
	return c
}

// judgeEvents reads the events of one run; failed is what its exit code says.
func judgeEvents(events *bytes.Buffer, tests []string, failed bool) (v verdict, err error) {
	ended, began := map[string]string{}, false
	v.took = map[string]time.Duration{}
	var text strings.Builder
	for d := json.NewDecoder(events); d.More(); {
		var e event
		if err := d.Decode(&e); err != nil {
			return v, err
		}
		text.WriteString(e.Output)
		began = began || e.Action == "run"
		if e.FailedBuild != "" {
			return v, fmt.Errorf("it does not compile:\n%s", text.String())
		}
		if e.Action == "pass" || e.Action == "fail" || e.Action == "skip" {
			ended[e.Test] = e.Action
			v.took[e.Test] = time.Duration(e.Elapsed * float64(time.Second))
		}
	}
	if !began {
		return v, fmt.Errorf("no test ran:\n%s", text.String())
	}
	v.output = text.String()
	for _, test := range tests {
		switch how := ended[test]; {
		case how == "pass":
			v.passed = append(v.passed, test)
		case how == "fail" || (how == "" && failed):
			v.failed = append(v.failed, test)
		default:
			return v, fmt.Errorf("%s is skipped or not built here", test)
		}
	}
	return v, nil
}
