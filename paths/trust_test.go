package paths

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// This file owns tests of whose a socket's place is. They need root, which alone can give files away.

const stranger = 4242

// layout makes folders and links below a fresh folder; text is NAME MODE OWNER, or NAME -> TARGET.
func layout(t *testing.T, lines ...string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, who can give files away")
	}
	root := t.TempDir()
	for _, line := range lines {
		f := strings.Fields(line)
		path := filepath.Join(root, f[0])
		var err error
		if f[1] == "->" {
			err = os.Symlink(filepath.Join(root, f[2]), path)
		} else {
			err = os.Mkdir(path, 0o700)
		}
		if len(f) == 4 || f[1] != "->" {
			owner := 0
			if f[len(f)-1] == "stranger" {
				owner = stranger
			}
			err = firstOf(err, os.Lchown(path, owner, owner))
		}
		if f[1] == "1777" {
			err = firstOf(err, os.Chmod(path, 0o777|os.ModeSticky))
		} else if f[1] == "0777" {
			err = firstOf(err, os.Chmod(path, 0o777))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestCheckSocket(t *testing.T) {
	root := layout(t,
		"tmp 1777 root", "tmp/mine 0700 root", "tmp/theirs 0700 stranger", "tmp/link -> tmp/theirs stranger", "tmp/own -> srv",
		"tmp/mylink -> tmp/theirs", "srv 0700 root", "srv/theirs 0700 stranger", "open 0777 root", "open/theirs 0700 stranger", "tmp/mine/deep 0700 root", "open/mine 0700 root",
		"srv/out -> open/mine", "tmp/mine/here -> tmp/mine/deep")
	for path, bad := range map[string]string{
		"tmp/s.sock":           "",
		"tmp/mine/s.sock":      "",
		"tmp/mine/deep/s.sock": "",
		"tmp/new/s.sock":       "",
		"tmp/theirs/s.sock":    "belongs to user 4242",
		"tmp/theirs":           "belongs to user 4242",
		"tmp/link/s.sock":      "belongs to user 4242",
		"tmp/mylink/s.sock":    "belongs to user 4242",
		"tmp/own/s.sock":       "",
		"srv/theirs/s.sock":    "",
		"open/s.sock":          "",
		"open/theirs/s.sock":   "belongs to user 4242",

		"srv/out/../theirs/s.sock":         "belongs to user 4242", // which is open/theirs
		"srv/out/../s.sock":                "",
		"srv/out/../../srv/theirs/s.sock":  "",
		"tmp/mine/here/../../theirs/s":     "belongs to user 4242",
		"tmp//mine/./here/../../mine/s":    "",
		"../../../../../../../../../../..": "",
	} {
		err := checkOwners(root+"/"+path, 0)
		if bad == "" && err != nil || bad != "" && (err == nil || !strings.Contains(err.Error(), bad)) {
			t.Errorf("%s: %v, want %q", path, err, bad)
		}
	}
	if err := checkOwners(filepath.Join(root, "tmp/theirs/s.sock"), stranger); err != nil {
		t.Errorf("one's own: %v", err)
	}
}

// A folder that has to be made where everybody may write is the user's alone.
func TestMakeSocketFolder(t *testing.T) {
	root := layout(t, "tmp 1777 root", "tmp/chimera-0 0777 root", "run 0700 root")
	t.Setenv("TMPDIR", filepath.Join(root, "tmp"))
	for path, want := range map[string]os.FileMode{"tmp/chimera-0/s.sock": 0o700, "tmp/a/b/s.sock": 0o700, "run/chimera/s.sock": 0o755} {
		path = filepath.Join(root, path)
		if err := MakeSocketFolder(path); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Dir(path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", path, info.Mode(), err, want)
		}
		if IsPrivate(path) != (want == 0o700) {
			t.Errorf("%s: private %t", path, IsPrivate(path))
		}
	}
}

// The folder that counts is the one that the kernel finds.
func TestIsPrivateThroughALink(t *testing.T) {
	root := layout(t, "open 0777 root", "open/mine 0700 root", "srv 0700 root", "srv/out -> open/mine")
	for path, want := range map[string]bool{"srv/s": true, "srv/out/s": true, "srv/out/../s": false, "open/../srv/s": true} {
		if got := IsPrivate(root + "/" + path); got != want {
			t.Errorf("%s: private %t", path, got)
		}
	}
}
