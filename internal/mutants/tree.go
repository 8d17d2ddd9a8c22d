package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// This file owns the copy that is changed: the project's own files are never touched.

// tree is a copy of the module in a temporary folder.
//
// Rejected: go test -overlay. It replaces a header for the package of its own folder alone; a package that
// includes it from beside would be built from the sound one, and its mutants would survive.
type tree struct {
	root, dir string
	folders   []string // of packages that hold C
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
	t := &tree{root: root, dir: dir}
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
		return t.copyFile(name)
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return t, nil
}

func (t *tree) copyFile(name string) error {
	text, err := os.ReadFile(filepath.Join(t.root, name))
	if err != nil {
		return err
	}
	folder := filepath.Dir(name)
	held := len(t.folders) > 0 && t.folders[len(t.folders)-1] == folder
	if strings.HasSuffix(name, ".go") && !held && strings.Contains(string(text), "\nimport \"C\"\n") {
		t.folders = append(t.folders, folder)
	}
	return os.WriteFile(filepath.Join(t.dir, name), text, 0o644)
}

// apply makes the change of m in the copy.
func (t *tree) apply(m mutant) error {
	text, err := m.mutated(t.root)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(t.dir, m.file), []byte(text), 0o644); err != nil {
		return err
	}
	if strings.HasSuffix(m.file, ".go") {
		return nil
	}
	for _, folder := range t.folders {
		if err := os.WriteFile(filepath.Join(t.dir, folder, marker), fmt.Appendf(nil, "/* %s: %q */\n", m.name, m.new), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// undo takes the change back.
func (t *tree) undo(m mutant) error {
	for _, folder := range t.folders {
		if err := os.Remove(filepath.Join(t.dir, folder, marker)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return t.copyFile(m.file)
}

func (t *tree) remove() { _ = os.RemoveAll(t.dir) } // what is left of it is a temporary folder's
