package main

import (
	"context"
	"fmt"
	"io"
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
	for _, of := range grouped(slices.DeleteFunc(slices.Clone(list), func(m mutant) bool { return !b.switches[m.name] })) {
		b.binaries[of.pkg] = filepath.Join(t.dir, "bin", strings.ReplaceAll(of.pkg, "/", "_")+".test")
		unfit, why := b.unfit(ctx, g, of.pkg, of.tests)
		if ctx.Err() != nil {
			t.remove()
			return nil, context.Cause(ctx)
		}
		if len(unfit) > 0 {
			fmt.Fprintf(out, "%s: one by one, for switches do not do: %s\n%s\n", of.pkg, strings.Join(unfit, " "), why)
			b.withdraw(list, of.pkg, unfit)
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
	g.note(pkg, v)
	return v.failed, v.output
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
func (b *built) others(list []mutant) []mutant {
	return slices.DeleteFunc(slices.Clone(list), func(m mutant) bool { return b.switches[m.name] })
}

// judge runs the tests of a mutant that has a switch.
func (b *built) judge(ctx context.Context, g goTest, m mutant) (verdict, error) {
	if ctx.Err() != nil {
		return verdict{}, context.Cause(ctx)
	}
	g.dir = b.tree.dir
	return g.runBuilt(ctx, b.binaries[m.pkg], m.pkg, m.name, m.tests)
}
