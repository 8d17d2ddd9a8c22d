package systemd

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager is a service manager's end of NOTIFY_SOCKET.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func message(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func monotonicUsec(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / 1000
}

func TestNotify(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), fmt.Sprintf("@chimera-test-%d", os.Getpid())} {
		c := manager(t, name)
		for _, m := range []struct {
			send func()
			want string
		}{
			{Ready, "READY=1"}, {Stopping, "STOPPING=1"},
			{func() { Status("serving %s at %d%%", "m", 50) }, "STATUS=serving m at 50%"},
			{func() { Status("%s", "a\nREADY=1") }, "STATUS=a READY=1"},
		} {
			m.send()
			if got := message(t, c); got != m.want {
				t.Errorf("%s: %q, want %q", name, got, m.want)
			}
		}
		before := monotonicUsec(t)
		Reloading()
		lines := strings.Split(message(t, c), "\n")
		if len(lines) != 2 || lines[0] != "RELOADING=1" {
			t.Fatalf("%s: %q", name, lines)
		}
		at, ok := strings.CutPrefix(lines[1], "MONOTONIC_USEC=")
		usec, err := strconv.ParseInt(at, 10, 64)
		if !ok || err != nil || usec < before || usec > monotonicUsec(t) {
			t.Errorf("%s: %q is not now (%d)", name, lines[1], before)
		}
	}
}

// Outside a unit nothing happens; a manager that is gone is worth a warning, and no more.
func TestNotifyWithoutManager(t *testing.T) {
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	for _, name := range []string{"", filepath.Join(t.TempDir(), "nobody"), "@chimera-nobody"} {
		var log bytes.Buffer
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		t.Setenv("NOTIFY_SOCKET", name)
		for _, f := range []func(){Ready, Stopping, Reloading, func() { Status("x") }} {
			f()
		}
		want := 4
		if name == "" {
			want = 0
		}
		if got := strings.Count(log.String(), "telling the service manager failed"); got != want {
			t.Errorf("%q: %d warnings, want %d\n%s", name, got, want, &log)
		}
	}
}

func TestWatchdog(t *testing.T) {
	c := manager(t, filepath.Join(t.TempDir(), "notify"))
	t.Setenv("WATCHDOG_USEC", "60000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	ctx, cancel := context.WithCancel(context.Background())
	asked, done := 0, make(chan struct{})
	go func() {
		Watchdog(ctx, func() bool { asked++; return asked <= 2 })
		close(done)
	}()
	for range 2 {
		if got := message(t, c); got != "WATCHDOG=1" {
			t.Errorf("%q", got)
		}
	}
	if err := c.SetReadDeadline(time.Now().Add(150 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 64)); err == nil {
		t.Errorf("the dead still feed the watchdog: %d bytes", n)
	}
	cancel()
	<-done
}

// Without WatchdogSec=, or when it is meant for another process, there is nothing to do.
func TestWatchdogIsNotAsked(t *testing.T) {
	for _, env := range [][2]string{{"", ""}, {"60000", "1"}, {"nonsense", ""}} {
		t.Setenv("WATCHDOG_USEC", env[0])
		t.Setenv("WATCHDOG_PID", env[1])
		Watchdog(context.Background(), func() bool { t.Error("asked"); return true })
	}
}

// The units as the service manager itself reads them. The folder has what a packaged machine has.
func TestUnits(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	dir := t.TempDir()
	for _, name := range []string{"chimera.service", "chimera.socket"} {
		text, err := os.ReadFile(filepath.Join("units", name))
		if err != nil {
			t.Fatal(err)
		}
		text = []byte(strings.ReplaceAll(string(text), "/usr/bin/chimera", "/bin/true")) // the binary is not installed here
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(tool, "verify", "--man=no", filepath.Join(dir, "chimera.service"), filepath.Join(dir, "chimera.socket")).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "chimera.") || strings.Contains(line, "Unknown") {
			t.Error(strings.TrimSpace(line))
		}
	}
	if err != nil && strings.TrimSpace(string(out)) == "" {
		t.Error(err)
	}
	t.Logf("%s", out)
}

// What the service removes when it stops must not hold the socket, which lives on in its own unit.
func TestServiceLeavesTheSocketAlone(t *testing.T) {
	socket, service := setting(t, "chimera.socket", "ListenStream"), setting(t, "chimera.service", "RuntimeDirectory")
	if len(socket) != 1 || !filepath.IsAbs(socket[0]) {
		t.Fatalf("ListenStream is %q", socket)
	}
	for _, folder := range service {
		if folder != "" && strings.HasPrefix(socket[0], filepath.Join("/run", folder)+"/") {
			t.Errorf("the service's RuntimeDirectory %s holds %s", folder, socket[0])
		}
	}
}

// The socket's group is the user's own, made with it: see the service.
func TestUserAndGroupAreOne(t *testing.T) {
	user, group := setting(t, "chimera.service", "User"), setting(t, "chimera.socket", "SocketGroup")
	if len(user) != 1 || len(group) != 1 || user[0] != group[0] {
		t.Errorf("User=%s, SocketGroup=%s", user, group)
	}
	if dynamic := setting(t, "chimera.service", "DynamicUser"); dynamic != nil {
		t.Errorf("DynamicUser=%s", dynamic)
	}
}

// setting returns the values of a unit's setting.
func setting(t *testing.T, unit, key string) (values []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("units", unit))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+"="); ok {
			values = append(values, strings.Fields(value)...)
		}
	}
	return values
}
