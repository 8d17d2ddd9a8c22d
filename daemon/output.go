package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"chimera/weights"
)

// This file owns writing files: what all verbs write they write by this.

// writeFile puts what write gives at path, or where a link at path leads: whole or not at all, also when ctx ends. Only a
// regular file is replaced, by one with its mode and owner, and never one of model; a new one has the mode that the umask
// leaves.
func writeFile(ctx context.Context, path string, model *weights.File, write func(io.Writer) error) error {
	if err := replace(ctx, path, model, write); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func replace(ctx context.Context, path string, model *weights.File, write func(io.Writer) error) error {
	old, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		old = nil
	} else if err != nil {
		return err
	}
	if err := replaceable(path, old, model); err != nil {
		return err
	}
	if path, err = target(path); err != nil {
		return err
	}
	tmp, err := createBeside(path)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already if all went well
	if err = write(untilDone{ctx, tmp}); err == nil && old != nil {
		err = takeAfter(tmp, old)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// replaceable refuses what is at path, if anything is, unless it is a file that may be written anew.
func replaceable(path string, old fs.FileInfo, model *weights.File) error {
	switch {
	case old == nil:
		return nil
	case old.IsDir():
		return errors.New("it is a folder: name a file in it")
	case !old.Mode().IsRegular():
		return errors.New("it is no regular file, and would be replaced by one: name another")
	case model.Holds(old):
		return errors.New("it is the file that is read: name another")
	}
	if err := unix.Access(path, unix.W_OK); err != nil {
		return fmt.Errorf("the file there may not be written: %w", err)
	}
	return nil
}

// maxLinks is how many links in a row Linux follows.
const maxLinks = 40

// target follows the links at path, the last of which may lead nowhere yet.
func target(path string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(path)
		if err != nil { // it is no link, or nothing
			return path, nil
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", unix.ELOOP
}

// createBeside makes a new file in the folder of path. Its name is short, as path's may be as long as names can be.
func createBeside(path string) (*os.File, error) {
	for {
		name := filepath.Join(filepath.Dir(path), fmt.Sprintf(".chimera-%08x", rand.Uint32()))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// takeAfter gives a file the owner, where that is allowed, and the mode of the one that it replaces.
func takeAfter(f *os.File, old fs.FileInfo) error {
	if s, ok := old.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(s.Uid), int(s.Gid))
	}
	return f.Chmod(old.Mode().Perm())
}

// untilDone is a writer that fails when ctx has ended.
type untilDone struct {
	ctx context.Context
	io.Writer
}

func (w untilDone) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.Writer.Write(b)
}
