package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// This file owns the copy whose mutants have switches, and its tests as they were built.

// built are the tests of the packages that mutants with switches are for.
type built struct {
	tree     *tree
	binaries map[string]string // by package
	switches map[string]bool   // the mutants that have one, by name
}

// buildSwitched makes the copy and builds the tests of its packages, which must pass with no mutant in force. A package that does not compile
// so, and a test that does not bear switches (one that counts allocations may not), has its mutants judged one by one, as is told.
func buildSwitched(ctx context.Context, root string, g goTest, list []mutant, out io.Writer) (*built, error) {
	t, err := copyTree(root)
	if err != nil {
		return nil, err
	}
	b := &built{tree: t, binaries: map[string]string{}}
	if b.switches, err = t.addSwitches(list); err != nil {
		t.remove()
		return nil, err
	}
	g.dir = t.dir
	byPackage := b.testsByPackage(list)
	for _, pkg := range slices.Sorted(maps.Keys(byPackage)) {
		tests := byPackage[pkg]
		b.binaries[pkg] = filepath.Join(t.dir, "bin", strings.ReplaceAll(pkg, "/", "_")+".test")
		unfit, why := b.unfit(ctx, g, pkg, tests)
		if ctx.Err() != nil {
			t.remove()
			return nil, context.Cause(ctx)
		}
		if len(unfit) > 0 {
			fmt.Fprintf(out, "%s: one by one, for switches do not do: %s\n%s\n", pkg, strings.Join(unfit, " "), why)
			b.withdraw(list, pkg, unfit)
		}
	}
	return b, nil
}

// unfit are the tests that do not pass though no mutant is in force, and why.
func (b *built) unfit(ctx context.Context, g goTest, pkg string, tests []string) (unfit []string, why string) {
	if err := g.build(ctx, pkg, b.binaries[pkg]); err != nil {
		return tests, err.Error()
	}
	v, err := g.runBuilt(ctx, b.binaries[pkg], pkg, "", tests)
	if err != nil {
		return tests, err.Error()
	}
	return v.failed, v.output
}

func (b *built) testsByPackage(list []mutant) map[string][]string {
	tests := map[string][]string{}
	for _, m := range list {
		if b.switches[m.name] {
			tests[m.pkg] = append(tests[m.pkg], m.tests...)
		}
	}
	for pkg := range tests {
		slices.Sort(tests[pkg])
		tests[pkg] = slices.Compact(tests[pkg])
	}
	return tests
}

// withdraw takes the switches of the mutants that some tests are for.
func (b *built) withdraw(list []mutant, pkg string, tests []string) {
	for _, m := range list {
		if m.pkg == pkg && slices.ContainsFunc(m.tests, func(test string) bool { return slices.Contains(tests, test) }) {
			delete(b.switches, m.name)
		}
	}
}

// others are the mutants without a switch.
func (b *built) others(list []mutant) (others []mutant) {
	for _, m := range list {
		if !b.switches[m.name] {
			others = append(others, m)
		}
	}
	return others
}

// judge runs the tests of a mutant that has a switch.
func (b *built) judge(ctx context.Context, g goTest, m mutant) (verdict, error) {
	if ctx.Err() != nil {
		return verdict{}, context.Cause(ctx)
	}
	g.dir = b.tree.dir
	return g.runBuilt(ctx, b.binaries[m.pkg], m.pkg, m.name, m.tests)
}
