package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// This file owns tests of whose the file is, and of what stands at its place.

func TestFilesArePrivate(t *testing.T) {
	defer unix.Umask(unix.Umask(0))
	folder := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(folder, "history.db")
	s := mustOpen(t, path, Options{})
	defer s.Close()
	addExamples(t, s)
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 4 {
		t.Errorf("%v %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v %v", f.Name(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v %v", info.Mode(), err)
	}
}

// A file that others could read is taken away from them.
func TestOpenFileIsClosedToOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, os.Chmod(path, 0o664))
	s := mustOpen(t, path, Options{})
	defer s.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestPlacesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"link":    {func(p string) error { return errors.Join(os.WriteFile(p+"2", nil, 0o600), os.Symlink(p+"2", p)) }, "is a link"},
		"nowhere": {func(p string) error { return os.Symlink(p+"2", p) }, "is a link"},
		"log":     {func(p string) error { return errors.Join(os.WriteFile(p+"2", nil, 0o600), os.Symlink(p+"2", p+"-wal")) }, "-wal is a link"},
		"lock":    {func(p string) error { return os.Symlink(p+"2", p+".lock") }, ".lock is a link"},
		"pipe":    {func(p string) error { return unix.Mkfifo(p, 0o600) }, "is no regular file"},
		"folder":  {func(p string) error { return os.Mkdir(p, 0o700) }, "is a directory"},
		"shared":  {func(p string) error { return os.Chmod(filepath.Dir(p), 0o777) }, "others may write to the folder"},
		"under": {func(p string) error {
			return errors.Join(os.Remove(filepath.Dir(p)), os.WriteFile(filepath.Dir(p), nil, 0o600))
		}, "not a directory"},
		"theirs": {func(p string) error { return errors.Join(os.WriteFile(p, nil, 0o600), os.Chown(p, 4242, 4242)) }, "belongs to user 4242"},
		"inside": {func(p string) error { return os.Chown(filepath.Dir(p), 4242, 4242) }, "belongs to user 4242"},
	} {
		t.Run(name, func(t *testing.T) {
			if (name == "theirs" || name == "inside") && os.Getuid() != 0 {
				t.Skip("needs root, who can give files away")
			}
			path := filepath.Join(t.TempDir(), "folder", "history.db")
			must(t, os.Mkdir(filepath.Dir(path), 0o700))
			must(t, c.make(path))
			s, err := OpenAnew(path, Options{Log: quiet})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Dir(path)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// Two processes would give their rows the same numbers.
func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?#%41 b.db") // nothing in a name has a meaning
	s := mustOpen(t, path, Options{})
	if _, err := Open(path, Options{Log: quiet}); err == nil || !strings.Contains(err.Error(), path+": it is in use by another process") {
		t.Error(err)
	}
	must(t, s.Close())
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("the file is elsewhere: %v", err)
	}
	s = mustOpen(t, path, Options{})
	must(t, s.Close())
}

func TestOptionsThatAreRefused(t *testing.T) {
	for want, o := range map[string]Options{
		`privacy: "some" is none of none, samples and all`: {Privacy: "some"},
		`retention: 1s of "internal"`:                      {Retention: map[Table]time.Duration{"internal": 1e9}},
		`retention: 0s of "scores"`:                        {Retention: map[Table]time.Duration{Scores: 0}},
	} {
		if _, err := Open(filepath.Join(t.TempDir(), "h"), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
