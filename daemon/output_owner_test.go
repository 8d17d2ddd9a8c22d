package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"chimera/weights"
)

// This file owns tests of whose the files are that verbs write, and who may read them.

// While a file is written nobody may read it who may not read the one that it replaces, by mode, owner or group.
func TestOutputIsNoMoreOpenThanWhatItReplaces(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o604, 0o644, 0o666} {
		folder, model := inFolder(t)
		out := filepath.Join(folder, "out")
		if err := errors.Join(os.WriteFile(out, []byte("old"), 0o600), os.Chmod(out, mode)); err != nil {
			t.Fatal(err)
		}
		uid, gid := os.Getuid(), os.Getgid()
		if uid == 0 { // another's
			uid, gid = 1234, 5678
		}
		if err := os.Chown(out, uid, gid); err != nil {
			t.Fatal(err)
		}
		like := func(path string) error {
			info := stat(t, path)
			if s := info.Sys().(*syscall.Stat_t); info.Mode() != mode || int(s.Uid) != uid || int(s.Gid) != gid {
				return fmt.Errorf("%s: %v of %d:%d, want %v of %d:%d", path, info.Mode(), s.Uid, s.Gid, mode, uid, gid)
			}
			return nil
		}
		err := writeFile(t.Context(), out, model, func(w io.Writer) error {
			written, _ := filepath.Glob(filepath.Join(folder, ".*"))
			if len(written) != 1 {
				return fmt.Errorf("%v are written", written)
			}
			return errors.Join(like(written[0]), saying("new")(w))
		})
		if err = errors.Join(err, like(out)); err != nil || content(t, out) != "new" {
			t.Error(err)
		}
	}
}

// What others own is replaced as far as the user may: the group is kept where the user is in it, and where not, the group
// that the file gets has what all others have.
func TestOutputOfAnotherOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes files of others")
	}
	const other, in, notIn = 1234, 7, 8
	for _, c := range []struct {
		gid        int
		mode, want fs.FileMode
		group      int
	}{
		{in, 0o660, 0o660, in}, {in, 0o664, 0o664, in}, {notIn, 0o666, 0o666, ownGroup}, {notIn, 0o662, 0o622, ownGroup}, {notIn, 0o606, 0o606, ownGroup},
	} {
		folder, model := openFolder(t)
		out := filepath.Join(folder, "out")
		if err := errors.Join(os.WriteFile(out, []byte("old"), 0o600), os.Chown(out, other, c.gid), os.Chmod(out, c.mode)); err != nil {
			t.Fatal(err)
		}
		var err error
		asUser(t, in, func() { err = writeFile(t.Context(), out, model, saying("new")) })
		info := stat(t, out)
		if s := info.Sys().(*syscall.Stat_t); err != nil || info.Mode() != c.want || s.Uid != ownUser || int(s.Gid) != c.group || content(t, out) != "new" {
			t.Errorf("%v of group %d: %v, %v of %d:%d", c.mode, c.gid, err, info.Mode(), s.Uid, s.Gid)
		}
	}
}

// A file that may not be written is not replaced either, though its folder may be written to.
func TestOutputIsProtected(t *testing.T) {
	folder, model := openFolder(t)
	out := filepath.Join(folder, "out")
	if err := os.WriteFile(out, []byte("precious"), 0o444); err != nil {
		t.Fatal(err)
	}
	var err error
	asUser(t, 0, func() { err = writeFile(t.Context(), out, model, saying("x")) })
	if !errors.Is(err, fs.ErrPermission) || content(t, out) != "precious" {
		t.Error(err)
	}
}

const ownUser, ownGroup = 65534, 65533

// openFolder is inFolder, where every user may write.
func openFolder(t *testing.T) (folder string, model *weights.File) {
	t.Helper()
	folder, model = inFolder(t)
	if err := errors.Join(os.Chmod(filepath.Dir(folder), 0o755), os.Chmod(folder, 0o777)); err != nil { // the first holds all of the test's
		t.Fatal(err)
	}
	return folder, model
}

// asUser runs f without root's rights, on a thread that is in one more group.
func asUser(t *testing.T, group int, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	failure := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		groups := []uint32{uint32(group)}
		for _, call := range [][4]uintptr{
			{unix.SYS_SETGROUPS, 1, uintptr(unsafe.Pointer(&groups[0]))},
			{unix.SYS_SETRESGID, ownGroup, ownGroup, ownGroup}, {unix.SYS_SETRESUID, ownUser, ownUser, ownUser},
		} {
			if _, _, failed := unix.RawSyscall(call[0], call[1], call[2], call[3]); failed != 0 {
				failure <- failed
				return
			}
		}
		f()
		failure <- nil
	}()
	if err := <-failure; err != nil {
		t.Fatal(err)
	}
}
