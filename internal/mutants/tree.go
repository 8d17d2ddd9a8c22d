package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// This file owns the copy that is changed: the project's own files are never touched.

// tree is a copy of the module in a temporary folder.
//
// Rejected: go test -overlay. It replaces a header for the package of its own folder alone; a package that
// includes it from beside would be built from the sound one, and its mutants would survive.
type tree struct {
	dir     string
	folders []string // of packages that hold C
}

// marker is a header that nobody includes. Go's build cache looks at the files of a package's own folder, not
// at what they include from others; a marker that changes with the mutant has all C built anew.
const marker = "mutant.h"

// copyTree copies all but hidden folders and bin, which hold tools and what was built.
func copyTree(root string) (*tree, error) {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return nil, err
	}
	t := &tree{dir: dir}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != "." && (strings.HasPrefix(entry.Name(), ".") || name == "bin") {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(dir, name), 0o755)
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		return t.copyFile(root, name)
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return t, nil
}

func (t *tree) copyFile(root, name string) error {
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return err
	}
	folder := filepath.Dir(name)
	if strings.HasSuffix(name, ".go") && !slices.Contains(t.folders, folder) && strings.Contains(string(text), "\nimport \"C\"\n") {
		t.folders = append(t.folders, folder)
	}
	return os.WriteFile(filepath.Join(t.dir, name), text, 0o644)
}

// apply makes the change of m in the copy; undo takes it back.
func (t *tree) apply(m mutant) (undo func() error, err error) {
	path := filepath.Join(t.dir, m.file)
	sound, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text, err := m.mutated(t.dir)
	if err != nil {
		return nil, err
	}
	undo = func() error { return errors.Join(os.WriteFile(path, sound, 0o644), t.mark("")) }
	err = os.WriteFile(path, []byte(text), 0o644)
	if err == nil && !strings.HasSuffix(m.file, ".go") {
		err = t.mark(fmt.Sprintf("/* %s: %q */\n", m.name, m.new))
	}
	if err != nil {
		return nil, errors.Join(err, undo())
	}
	return undo, nil
}

// mark writes the marker beside all C; without a text it removes it.
func (t *tree) mark(text string) error {
	for _, folder := range t.folders {
		path := filepath.Join(t.dir, folder, marker)
		if text == "" {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		} else if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) remove() { _ = os.RemoveAll(t.dir) } // what is left of it is a temporary folder's
