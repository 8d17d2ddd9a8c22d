package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// This file owns what a mutant is, and the check that the list still speaks of the code as it stands.

// mutant is one small change, and the tests of one package that must fail with it.
//
// Rejected: changes made by rules (every < becomes <=). They are thousands, most of them mean nothing, and
// nobody reads the survivors. Each of these stands for a fault that was made once, or that nothing but the
// answers would show.
type mutant struct {
	name     string   // lower case, words joined by "-"
	file     string   // which file changes, from the module's root
	old, new string   // old must stand in file exactly once
	pkg      string   // the package, as a folder from the module's root
	tests    []string // each of them must fail
	tags     string   // build tags, if the test needs any
}

// check refuses a list that has rotted, naming every entry that has.
func check(root string, list []mutant) error {
	var errs []error
	names := map[string]bool{}
	for _, m := range list {
		if names[m.name] {
			errs = append(errs, fmt.Errorf("%s: it stands twice in the list", m.name))
		}
		names[m.name] = true
		if len(m.tests) == 0 || m.old == m.new {
			errs = append(errs, fmt.Errorf("%s: it changes nothing, or no test must fail", m.name))
		}
		if _, err := m.mutated(root); err != nil {
			errs = append(errs, err)
		}
		for _, test := range m.tests {
			if !hasTest(filepath.Join(root, m.pkg), test) {
				errs = append(errs, fmt.Errorf("%s: %s has no test %s", m.name, m.pkg, test))
			}
		}
	}
	return errors.Join(errs...)
}

// mutated is the text of m's file with the change.
func (m mutant) mutated(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.name, err)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("%s: %s holds %q %d times, it must be once", m.name, m.file, m.old, n)
	}
	return strings.Replace(string(text), m.old, m.new, 1), nil
}

// hasTest reads the folder's test files, since go test -list would build them.
func hasTest(folder, test string) bool {
	files, _ := filepath.Glob(filepath.Join(folder, "*_test.go"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}
