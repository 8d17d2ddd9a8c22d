package paths

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// This file owns whom a socket's place can be trusted to belong to. In a folder where everybody may write, /tmp above all,
// anybody can put a folder or a socket of the expected name first, and would then read the prompts.

// PrivateMode is that of a folder which nobody but its owner enters.
const PrivateMode = 0o700

// CheckSocket refuses a socket's path that somebody other than root and the user can have made or may change: each part of it
// that stands in a folder where all may write must be theirs. What does not exist yet is nobody's.
func CheckSocket(path string) error { return checkOwners(path, os.Getuid()) }

// checkOwners goes along path as the kernel does, which cleans nothing: .. behind a link is above the folder that it leads to.
func checkOwners(path string, uid int) error {
	if !filepath.IsAbs(path) {
		folder, err := os.Getwd()
		if err != nil {
			return err
		}
		path = folder + "/" + path
	}
	at, rest := "/", path // at is without links
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		part := filepath.Join(at, name)
		if part == at || name == ".." {
			at = part
			continue
		}
		info, err := os.Lstat(part)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		owner := int(info.Sys().(*syscall.Stat_t).Uid)
		if owner != 0 && owner != uid && openToAll(at) {
			return fmt.Errorf("%s belongs to user %d, and stands where anybody may put it: remove it, or choose another place", part, owner)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return checkTarget(part, rest, uid)
		}
		at = part
	}
	return nil
}

// checkTarget goes on where a link points.
func checkTarget(link, rest string, uid int) error {
	target, err := filepath.EvalSymlinks(link)
	if err != nil {
		return err
	}
	return checkOwners(target+"/"+rest, uid)
}

func openToAll(folder string) bool {
	info, err := os.Stat(folder)
	return err == nil && info.Mode().Perm()&0o002 != 0
}

// MakeSocketFolder makes the folder of a socket. Where everybody may write it is the user's alone; elsewhere others may pass,
// since the socket's own mode says who may connect. The user's folder in /tmp is made private even if it was there.
func MakeSocketFolder(path string) error {
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); err == nil {
		if folder == sharedFolder(os.Getuid()) {
			return os.Chmod(folder, PrivateMode)
		}
		return nil
	}
	above := folder
	for above != "/" && above != "." {
		above = filepath.Dir(above)
		if _, err := os.Stat(above); err == nil {
			break
		}
	}
	mode := fs.FileMode(0o755)
	if openToAll(above) {
		mode = PrivateMode
	}
	return os.MkdirAll(folder, mode)
}

// IsPrivate tells whether nobody but one user, and root, can connect to the socket at path.
func IsPrivate(path string) bool {
	folder, _ := filepath.Split(path)
	for _, at := range []string{path, cmp.Or(folder, ".")} {
		if info, err := os.Stat(at); err == nil && info.Mode().Perm()&0o077 == 0 {
			return true
		}
	}
	return false
}

// Owner is the user that a file belongs to.
func Owner(path string) (uid uint32, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Sys().(*syscall.Stat_t).Uid, nil
}
