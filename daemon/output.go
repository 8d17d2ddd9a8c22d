package daemon

import (
	"cmp"
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

// This file owns writing files: what the offline verbs write they write by this.

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
	old, err := found(os.Stat(path))
	if err != nil {
		return err
	}
	if err := replaceable(path, old, model); err != nil {
		return err
	}
	place, err := placeOf(path, old)
	if err != nil {
		return err
	}
	tmp, err := createBeside(place, old)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already if all went well
	if err = write(untilDone{ctx, tmp}); err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), place)
}

// found takes it for an answer that nothing is there.
func found(info fs.FileInfo, err error) (fs.FileInfo, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
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

// placeOf is where path leads to, without links. It is held against old, the file that the kernel found on its own way
// through the links, nil for none: what is replaced is what was looked at.
func placeOf(path string, old fs.FileInfo) (place string, err error) {
	if place, err = withoutLinks(path); err != nil {
		return "", err
	}
	there, err := found(os.Lstat(place))
	if err == nil && (old != nil || there != nil) && !os.SameFile(old, there) {
		err = errors.New("it leads to a file that has no name: name one that has") // such as /proc/self/fd/1 of a file that was removed
	}
	return place, err
}

// maxLinks is how many links in a row Linux follows.
const maxLinks = 40

// withoutLinks follows the links of path, the last of which may lead nowhere yet. A path is never cleaned before its folder
// is resolved: .. behind a link is the folder above the one that it leads to.
func withoutLinks(path string) (string, error) {
	for range maxLinks {
		folder, name := filepath.Split(path)
		if name == "" {
			return "", errors.New("it names no file")
		}
		folder, err := filepath.EvalSymlinks(cmp.Or(folder, "."))
		if err != nil {
			return "", err
		}
		path = filepath.Join(folder, name)
		to, err := os.Readlink(path)
		if err != nil { // it is no link, or nothing
			return path, nil
		}
		if path = to; !filepath.IsAbs(to) {
			path = folder + "/" + to
		}
	}
	return "", unix.ELOOP
}

// createBeside makes a new file in the folder of place, whose name is short, as place's may be as long as names can be. From
// its first byte on nobody may read it who may not read old, the file that it will replace.
func createBeside(place string, old fs.FileInfo) (*os.File, error) {
	mode := fs.FileMode(0o666)
	if old != nil {
		mode = 0o600
	}
	for {
		name := filepath.Join(filepath.Dir(place), fmt.Sprintf(".chimera-%08x", rand.Uint32()))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil || old == nil {
			return f, err
		}
		if err := takeAfter(f, old); err != nil {
			return nil, errors.Join(err, f.Close(), os.Remove(name))
		}
		return f, nil
	}
}

// takeAfter gives a file the owner, the group and the mode of another, as far as that is allowed. Where the group can't be
// had, the group that the file has instead is given no more than all others are.
func takeAfter(f *os.File, old fs.FileInfo) error {
	mode, s := old.Mode().Perm(), old.Sys().(*syscall.Stat_t)
	if f.Chown(int(s.Uid), int(s.Gid)) != nil && f.Chown(-1, int(s.Gid)) != nil {
		mode &^= 0o070 &^ (mode & 0o007 << 3)
	}
	return f.Chmod(mode)
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
