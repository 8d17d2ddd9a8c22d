package client

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// This file owns tests of whom the client talks to.

// strangerVariable makes the test binary a process of another user that listens on a socket.
const strangerVariable = "CHIMERA_TEST_STRANGER"

const stranger = 4242

func TestMain(m *testing.M) {
	if path := os.Getenv(strangerVariable); path != "" {
		listenAsStranger(path)
		return
	}
	os.Exit(m.Run())
}

func listenAsStranger(path string) {
	if err := os.Chdir(filepath.Dir(path)); err != nil {
		panic(err)
	}
	if err := syscall.Setuid(stranger); err != nil {
		panic(err)
	}
	l, err := net.Listen("unix", filepath.Base(path))
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString("listening\n")
	os.Stdin.Read(make([]byte, 1)) // until the test ends
	l.Close()
}

// foreign starts a listener of another user in a folder of that user's.
func foreign(t *testing.T, folder string) (path string) {
	t.Helper()
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(folder, stranger, stranger); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(folder, "s.sock")
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), strangerVariable+"="+path)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		c.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("%q %v", line, err)
	}
	return path
}

func TestWhomTheClientTalksTo(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, who can be another user")
	}
	open := t.TempDir()
	for name, c := range map[string]struct {
		sticky, given bool // all may write about the folder; the socket's file belongs to root
		bad           string
	}{
		"a service in a folder of its own":   {false, false, ""},
		"a squatter where anybody may write": {true, false, "belongs to user 4242"},
		"a listener that is not the file's":  {false, true, "user 4242 listens on"},
	} {
		t.Run(name, func(t *testing.T) {
			above := filepath.Join(open, strings.ReplaceAll(name, " ", "-"))
			if err := os.Mkdir(above, 0o755); err != nil {
				t.Fatal(err)
			}
			path := foreign(t, filepath.Join(above, "f"))
			if c.sticky {
				if err := os.Chmod(above, 0o777|os.ModeSticky); err != nil {
					t.Fatal(err)
				}
			}
			if c.given {
				if err := os.Chown(path, 0, 0); err != nil {
					t.Fatal(err)
				}
			}
			conn, err := dialUnix(context.Background(), path)
			if err == nil {
				conn.Close()
			} else if _, asked := New(path).Status(context.Background()); asked == nil || asked.Error() != err.Error() {
				t.Errorf("a verb says %v", asked)
			}
			if c.bad == "" && err != nil || c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad)) {
				t.Errorf("%v, want %q", err, c.bad)
			}
		})
	}
}
