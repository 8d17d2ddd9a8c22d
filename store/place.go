package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// This file owns where the file lies: whose it and its folder are, who may read them, and that one process has it at a time.

const (
	folderMode = 0o700
	fileMode   = 0o600
)

// besides are the files that SQLite keeps beside a database, by what is added to its name.
var besides = []string{"-wal", "-shm", "-journal"}

// claim makes path a file of the user that nobody else reads or can put another in the place of, and locks it against other processes
// until the lock is closed.
func claim(path string) (lock *os.File, err error) {
	if err := claimFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if lock, err = claimLock(path); err != nil {
		return nil, err
	}
	if err := claimFiles(path); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// lockPatience is how long a lock may outlive who had it: one that was killed goes when the kernel has put all of its memory away, and what it has forked
// and not yet begun has the lock, too.
const lockPatience = 2 * time.Second

// claimLock locks a file beside the database: SQLite loses its locks on a file when any descriptor of that file is closed (fcntl(2), F_SETLK).
func claimLock(path string) (lock *os.File, err error) {
	lock, err = openOwn(path+".lock", unix.O_CREAT)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(lockPatience); ; time.Sleep(10 * time.Millisecond) {
		if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.New("it is in use by another process")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), lock.Close())
	}
	return lock, nil
}

func claimFiles(path string) error {
	for _, beside := range besides {
		f, err := openOwn(path+beside, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	f, err := openOwn(path, unix.O_CREAT)
	if err != nil {
		return err
	}
	return errors.Join(looksWhole(f), f.Close())
}

// claimFolder makes the folder, private. One that is there may be read by others, as a service's state folder is, but if others can write
// to it, the file is theirs.
func claimFolder(folder string) error {
	if err := os.MkdirAll(folder, folderMode); err != nil {
		return err
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if err := isOwn(folder, info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others may write to the folder %s (mode %04o), and the history is private: chmod go-w it, or name another", folder, info.Mode().Perm())
	}
	return nil
}

// openOwn opens a regular file of the user's that is no link, and takes it away from all others.
func openOwn(path string, flags int) (*os.File, error) {
	// O_NONBLOCK: a pipe would be waited for.
	f, err := os.OpenFile(path, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|flags, fileMode)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s is a link: the history is kept in a file of its own", path)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err == nil {
		err = isOwn(path, info)
	}
	if err == nil && info.Mode().Perm()&^fileMode != 0 {
		err = f.Chmod(fileMode)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func isOwn(path string, info fs.FileInfo) error {
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, not to user %d, who runs this: name another place", path, owner, os.Geteuid())
	}
	return nil
}

// What stands at the beginning of every SQLite database (https://www.sqlite.org/fileformat2.html, 1.3).
const (
	magic      = "SQLite format 3\x00"
	headBytes  = 100
	pageSizeAt = 16 // two bytes, big-endian; 1 stands for 65536
)

// looksWhole refuses what SQLite would take for a new database and write over, or would fill up with zeros: a file that lost its
// end, and one that is something else. What a log may still repair is left to SQLite.
func looksWhole(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	log, err := os.Stat(f.Name() + "-wal")
	hasLog := err == nil && log.Size() > 0
	if info.Size() == 0 {
		if hasLog {
			return &DamagedError{f.Name(), errors.New("the file is empty, and its log is not: it was cut off")}
		}
		return nil
	}
	head := make([]byte, headBytes)
	n, err := f.ReadAt(head, 0)
	if !strings.HasPrefix(string(head[:n]), magic) {
		return &DamagedError{f.Name(), errors.New("it is no SQLite database")}
	}
	if n < headBytes {
		return &DamagedError{f.Name(), fmt.Errorf("it was cut off after %d bytes: %w", n, err)}
	}
	page := int64(binary.BigEndian.Uint16(head[pageSizeAt:]))
	if page == 1 {
		page = 1 << 16
	}
	if page == 0 || info.Size()%page != 0 && !hasLog {
		return &DamagedError{f.Name(), fmt.Errorf("it was cut off: %d bytes are no whole number of pages of %d", info.Size(), page)}
	}
	return nil
}
