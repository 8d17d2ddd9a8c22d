package systemd

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// childVariable makes the test binary the process that takes sockets over.
const childVariable = "CHIMERA_TEST_LISTENERS"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		if err := takeOver(); err != nil {
			fmt.Println("error:", err)
		}
		return
	}
	os.Exit(m.Run())
}

// takeOver tells what it was given and answers one connection on each socket.
func takeOver() error {
	if os.Getenv("LISTEN_PID") == "self" {
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	list, err := Listeners()
	if err != nil {
		return err
	}
	again, err := Listeners()
	fmt.Printf("%d %d %v %q\n", len(list), len(again), err, os.Getenv("LISTEN_FDS")+os.Getenv("LISTEN_PID"))
	for _, l := range list {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		fmt.Fprintf(c, "hello from %s", l.Addr().Network())
		c.Close()
	}
	return nil
}

func fileOf(t *testing.T, l interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A Unix and a TCP socket are taken over and work; a datagram socket is none of ours.
func TestListeners(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	u, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, c := range []struct{ pid, fds, want string }{
		{"self", "3", `2 0 <nil> ""`}, {"1", "3", `0 0 <nil> `}, {"", "", `0 0 <nil> ""`}, {"self", "x", `0 0 <nil> `}, {"self", "0", `0 0 <nil> `},
	} {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childVariable+"=1", "LISTEN_PID="+c.pid, "LISTEN_FDS="+c.fds)
		child.ExtraFiles = []*os.File{fileOf(t, u), fileOf(t, udp), fileOf(t, tcp)}
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(c.want, "2") {
			wantHello(t, "unix", path)
			wantHello(t, "tcp", tcp.Addr().String())
		}
		text, _ := io.ReadAll(out)
		if err := child.Wait(); err != nil || !strings.HasPrefix(string(text), c.want) || strings.Contains(string(text), "error") {
			t.Errorf("LISTEN_PID=%s LISTEN_FDS=%s: %v %q, want %q", c.pid, c.fds, err, text, c.want)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the unit's socket is gone: %v", err)
	}
}

func wantHello(t *testing.T, network, address string) {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if text, err := io.ReadAll(c); err != nil || string(text) != "hello from "+network {
		t.Errorf("%s: %v %q", network, err, text)
	}
}
