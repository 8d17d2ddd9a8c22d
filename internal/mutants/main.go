// Command mutants proves that tests can fail: it makes small changes to a copy of the project, one at a
// time, and runs the tests that must notice each. `make mutants` runs the whole list.
//
// It prints `NAME killed|survived` for each. The exit code is 0 if all were killed, 1 if one survived, and 2
// if the list itself is wrong: a text that its file does not hold exactly once, a change that does not
// compile, a test that fails or is skipped without any change.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// This file owns the run: the order of things, what is printed, and the exit code.

const (
	exitSurvived = 1
	exitBadList  = 2
)

// wholeLimit ends a run that has not come to its end: a check that takes longer is not made.
const wholeLimit = 35 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, wholeLimit)
	code := run(ctx, ".", list, os.Args[1:], os.Stdout)
	cancel()
	stop()
	os.Exit(code)
}

// run applies the mutants that args name, or all, to a copy of the module at root.
func run(ctx context.Context, root string, list []mutant, args []string, out io.Writer) int {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(out)
	// The slowest test of the list takes two minutes on a busy machine.
	timeout := flags.Duration("timeout", 3*time.Minute, "how long the tests of one mutant may run at most before they count as failed; less for those that are quick without")
	flags.Usage = func() {
		fmt.Fprintln(out, "usage: mutants [-timeout D] [NAME ...]")
		flags.PrintDefaults()
	}
	if flags.Parse(args) != nil {
		return exitBadList
	}
	list, err := choose(list, flags.Args())
	if err == nil {
		err = check(root, list)
	}
	if err != nil {
		fmt.Fprintln(out, err)
		return exitBadList
	}
	copies, err := copyTrees(root, min(runtime.NumCPU(), len(list)))
	if err != nil {
		fmt.Fprintln(out, err)
		return exitBadList
	}
	defer copies.remove()
	return judgeAll(ctx, root, copies, *timeout, list, out)
}

// choose picks the mutants by name; no name means all.
func choose(list []mutant, names []string) ([]mutant, error) {
	if len(names) == 0 {
		return list, nil
	}
	var chosen []mutant
	for _, name := range names {
		before := len(chosen)
		for _, m := range list {
			if m.name == name {
				chosen = append(chosen, m)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("no mutant is named %s", name)
		}
	}
	return chosen, nil
}

// judgeAll runs the tests without a change, then with each, and prints what became of the mutants in the list's order.
func judgeAll(ctx context.Context, root string, copies trees, timeout time.Duration, list []mutant, out io.Writer) int {
	began := time.Now()
	g := goTest{dir: copies[0].dir, timeout: timeout, usual: map[string]time.Duration{}}
	b, err := buildSwitched(ctx, root, g, list, out)
	if err == nil {
		defer b.tree.remove()
		err = g.baseline(ctx, b.others(list))
	}
	if err != nil {
		fmt.Fprintln(out, err)
		return exitBadList
	}
	fmt.Fprintf(out, "%-*s %-8s %6.1fs\n", width(list), "(no mutant)", "passes", time.Since(began).Seconds())
	survived, wrong, stopped := 0, 0, false
	for i, answer := range copies.judge(ctx, g, list, b) {
		j := <-answer
		switch {
		case stopped: // the other copies come to rest
		case ctx.Err() != nil:
			stopped = true
			fmt.Fprintf(out, "stopped at %s: %v\n", list[i].name, context.Cause(ctx))
		case j.err != nil:
			wrong++
			fmt.Fprintf(out, "%s: %v\n", list[i].name, j.err)
		default:
			survived += min(1, len(j.passed))
			fmt.Fprintf(out, "%-*s %-8s %6.1fs  %s\n", width(list), list[i].name, j.verdict, j.took.Seconds(), j.reason())
		}
	}
	if stopped {
		return exitBadList
	}
	fmt.Fprintf(out, "%d mutants, %d survived, %.0fs\n", len(list)-wrong, survived, time.Since(began).Seconds())
	switch {
	case wrong > 0:
		return exitBadList
	case survived > 0:
		return exitSurvived
	}
	return 0
}

func width(list []mutant) int {
	n := len("(no mutant)")
	for _, m := range list {
		n = max(n, len(m.name))
	}
	return n
}

func (v verdict) String() string {
	if len(v.passed) > 0 {
		return "survived"
	}
	return "killed"
}

// reason names the tests that decided.
func (v verdict) reason() string {
	if len(v.passed) > 0 {
		return strings.Join(v.passed, " ") + " did not notice"
	}
	return "by " + strings.Join(v.failed, " ")
}
