package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a program on a terminal of its own, and what it has shown.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd

	mu      sync.Mutex
	shown   bytes.Buffer
	written strings.Builder // all that it was given
	ended   chan struct{}   // nobody will write any more
}

func (x *terminal) all() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.written.String()
}

// resize is what happens when the user pulls at the window's edge.
func (x *terminal) resize(columns uint16) {
	x.t.Helper()
	if err := unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns}); err != nil {
		x.t.Fatal(err)
	}
}

func onTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100})
	}
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	x := &terminal{t: t, master: master, cmd: chimera(args...), ended: make(chan struct{})}
	x.cmd.Env = append(x.cmd.Env, "TERM=xterm-256color")
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = slave, slave, slave
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.cmd.Process.Kill() })
	go x.read()
	return x
}

func (x *terminal) read() {
	defer close(x.ended)
	b := make([]byte, 4096)
	for {
		n, err := x.master.Read(b)
		x.mu.Lock()
		x.shown.Write(b[:n])
		x.written.Write(b[:n])
		x.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// see waits until text is shown after what was seen before, and returns what stands between.
func (x *terminal) see(text string) (between string) {
	x.t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		x.mu.Lock()
		if i := strings.Index(x.shown.String(), text); i >= 0 {
			between = string(x.shown.Next(i + len(text))[:i])
			x.mu.Unlock()
			return between
		}
		left := x.shown.String()
		x.mu.Unlock()
		if time.Now().After(end) {
			x.t.Fatalf("%q is not shown; there is %q", text, left)
		}
	}
}

func (x *terminal) wantExit(code int) {
	x.t.Helper()
	done := make(chan struct{})
	go func() { x.cmd.Wait(); <-x.ended; close(done) }()
	select {
	case <-done:
	case <-time.After(15 * time.Second):
		x.t.Fatalf("it has not ended")
	}
	if got := x.cmd.ProcessState.ExitCode(); got != code {
		x.t.Errorf("exit %d, want %d: %q", got, code, x.shown.String())
	}
}

func TestChatOnATerminal(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	x := onTerminal(t, "chat", "--server", fakeServer(t).URL)
	x.see("Ctrl+D or /bye ends")
	x.press("first question\r")
	x.see("> first question")
	x.see("an answer")
	x.see("2 tokens")
	x.press("two\x0alines\r") // Ctrl+J
	x.see("> two")
	x.see("  lines")
	x.see("2 tokens")
	x.press("\x1b[A\x1b[A\x1b[A\r") // up through the two lines to the one before
	x.see("> first question")
	x.see("2 tokens")
	x.press("forever\r")
	x.see("> forever")
	x.see("endless")
	x.press("\x03") // stops the answer
	x.see("(stopped)")
	x.press("/clear\r")
	x.see("forgotten")
	x.press("still here\r")
	x.see("2 tokens")
	x.press("\x04")
	x.wantExit(0)
}

// What was sent is there in the next conversation, as is, and in no other user's reach.
func TestChatRemembersWhatWasSent(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	server := fakeServer(t).URL
	x := onTerminal(t, "chat", "--server", server)
	x.see("/bye")
	x.press("first question\r")
	x.see("2 tokens")
	x.press("\x04")
	x.wantExit(0)
	y := onTerminal(t, "chat", "--server", server)
	y.see("/bye")
	y.press("\x1b[A\r")
	y.see("> first question")
	y.see("2 tokens")
	y.press("\x04")
	y.wantExit(0)
	text, err := os.ReadFile(filepath.Join(state, "chimera", "chat_history"))
	if err != nil || string(text) != "\"first question\"\n\"first question\"\n" {
		t.Errorf("the file: %q %v", text, err)
	}
}

func TestChatSaysWhatIsNotKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_STATE_HOME", file)
	x := onTerminal(t, "chat", "--server", fakeServer(t).URL)
	x.see("what you send is not kept")
	x.press("first question\r")
	x.see("2 tokens")
	x.press("\x04")
	x.wantExit(0)
}

func TestChatLeavesByCommand(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	x := onTerminal(t, "chat", "--server", fakeServer(t).URL)
	x.see("/bye")
	x.press("/bye\r")
	x.wantExit(0)
}

// A daemon that is not there is said in the conversation, which goes on.
func TestChatWithoutDaemon(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	x := onTerminal(t, "chat", "--server", "/nowhere/c.sock")
	x.see("/bye")
	x.press("hello\r")
	x.see("error: no daemon answers at /nowhere/c.sock")
	x.press("\x04")
	x.wantExit(0)
}

func TestProgressOnTerminal(t *testing.T) {
	x := onTerminal(t, "quantize", "--type", "f32", fixture(t, "llama"), filepath.Join(t.TempDir(), "out.gguf"))
	x.see("quantize")
	x.see("100 %")
	x.wantExit(0)
	none := filepath.Join(t.TempDir(), "none.gguf")
	y := onTerminal(t, "quantize", "--type", "f32", none, none+"2")
	if before := y.see("chimera: "); before != "" {
		t.Errorf("above the error stands %q", before)
	}
	y.wantExit(exitModel)
}
