package socket

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// This file owns tests of a socket's place that another user has made, and of other users that reach a private one.

// strangerVariable makes the test binary a process of another user that connects to a socket.
const strangerVariable = "CHIMERA_TEST_STRANGER"

const stranger = 4242

func TestMain(m *testing.M) {
	if path := os.Getenv(strangerVariable); path != "" {
		connectAsStranger(path)
		return
	}
	os.Exit(m.Run())
}

// connectAsStranger gives root up only when the socket's file is found: its folder lets nobody else pass.
func connectAsStranger(path string) {
	if err := os.Chdir(filepath.Dir(path)); err != nil {
		panic(err)
	}
	if err := syscall.Setuid(stranger); err != nil {
		panic(err)
	}
	c, err := net.Dial("unix", filepath.Base(path))
	if err != nil {
		panic(err)
	}
	c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	b := make([]byte, 16)
	n, _ := c.Read(b)
	os.Stdout.Write(b[:n])
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, who can be another user")
	}
}

func TestAPlaceOfAnotherUserIsRefused(t *testing.T) {
	needsRoot(t)
	open := t.TempDir()
	theirs := filepath.Join(open, "chimera-0")
	if err := os.Mkdir(theirs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(theirs, stranger, stranger); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if l, err := ListenUnix(filepath.Join(theirs, "s.sock")); err == nil || !strings.Contains(err.Error(), "belongs to user 4242") {
		t.Errorf("%v %v", l, err)
	}
}

// Who is not the owner of a private folder and comes all the same, by a folder that was opened before, is not served.
func TestPrivateSocketServesItsUserAlone(t *testing.T) {
	needsRoot(t)
	for _, private := range []bool{true, false} {
		folder := filepath.Join(t.TempDir(), "f")
		if err := os.Mkdir(folder, 0o711); err != nil {
			t.Fatal(err)
		}
		if private {
			if err := os.Chmod(folder, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(folder, "s.sock")
		l, err := ListenUnix(path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for _, at := range []string{folder, path} { // the socket itself, and the way to it, for the one who is to be refused
			if err := os.Chmod(at, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Write([]byte("served"))
				c.Close()
			}
		}()
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), strangerVariable+"="+path)
		out, err := c.Output()
		if err != nil || (string(out) == "served") == private {
			t.Errorf("private %t: %q %v", private, out, err)
		}
		own, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 16)
		if n, _ := own.Read(b); string(b[:n]) != "served" {
			t.Errorf("private %t: the user itself is answered %q", private, b[:n])
		}
		own.Close()
	}
}
