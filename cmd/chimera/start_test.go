package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// This file owns tests of how a daemon starts: what it announces, the sockets it is given or makes, what
// it refuses before it loads, and a stop that comes while it loads.

func TestReadyLineAndModelNames(t *testing.T) {
	model, err := filepath.Abs(fixture(t, "llama"))
	socket, third := filepath.Join(t.TempDir(), "c.sock"), filepath.Join(t.TempDir(), "third.gguf")
	if err = errors.Join(err, os.Symlink(model, third)); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, chimera("serve", "--socket", socket, "--http", "127.0.0.1:0", "--ctx", "128",
		"--model", model+"=first", "--model", model+"=second", "--model", third))
	if p.ready.Socket != socket || p.ready.HTTP == nil || !strings.HasPrefix(*p.ready.HTTP, "127.0.0.1:") || strings.HasSuffix(*p.ready.HTTP, ":0") ||
		fmt.Sprint(p.ready.Models) != "[first second third]" {
		t.Errorf("%s", p.line)
	}
	for name, answers := range map[string]bool{`"first"`: true, `"second"`: true, `"third"`: true, `"fourth"`: false, `""`: true, "null": true} {
		code, text := p.status(t, `{"model":`+name+`,"prompt":[1,2],"max_tokens":1}`)
		if (code == 200) != answers || !answers && !strings.Contains(text, strings.Trim(name, `"`)) {
			t.Errorf("model %s: %d %s", name, code, text)
		}
	}
	if code, text := p.status(t, `{"prompt":[1,2],"max_tokens":1}`); code != 200 || !strings.Contains(text, `"first"`) {
		t.Errorf("no model: %d %s", code, text)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.exit(t); code != 0 {
		t.Errorf("exit %d", code)
	}
	alone := startProcess(t, chimera("serve", "--socket", socket, "--ctx", "128", "--model", model))
	if alone.ready.HTTP != nil || !strings.Contains(alone.line, `"http":null`) || alone.ready.Models[0] != nameOf(model) {
		t.Errorf("%s", alone.line)
	}
	r := runBinary(t, "", "serve", "--socket", socket, "--ctx", "128", "--model", model, "--model", "/nowhere/b.gguf=second")
	if r.code != 3 || !strings.Contains(r.errors, `model "second": /nowhere/b.gguf: there is no such file`) {
		t.Errorf("a second model that is not there: exit %d %s", r.code, r.errors)
	}
	r = runBinary(t, "", "serve", "--socket", socket, "--ctx", "128", "--model", model)
	if r.code != 1 || !strings.Contains(r.errors, "another daemon answers there") {
		t.Errorf("a second daemon: exit %d %s", r.code, r.errors)
	}
	alone.cmd.Process.Signal(syscall.SIGINT)
	if code := alone.exit(t); code != 0 {
		t.Errorf("SIGINT: exit %d", code)
	}
}

// What the service manager hears from start to stop.
func TestNotifySequence(t *testing.T) {
	dir := t.TempDir()
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	manager.SetReadDeadline(time.Now().Add(60 * time.Second))
	next := func() string {
		b := make([]byte, 4096)
		n, err := manager.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	model := fixture(t, "llama")
	c := chimera("serve", "--socket", filepath.Join(dir, "c.sock"), "--ctx", "128", "--model", model)
	c.Env = append(c.Env, "NOTIFY_SOCKET="+filepath.Join(dir, "notify"))
	p := startProcess(t, c)
	for _, want := range []string{"STATUS=loading ", "READY=1", "STATUS=serving " + nameOf(model)} {
		if got := next(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	p.cmd.Process.Signal(syscall.SIGHUP)
	for _, want := range []string{"RELOADING=1\nMONOTONIC_USEC=", "READY=1"} {
		if got := next(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if got := next(); got != "STOPPING=1" {
		t.Errorf("%q", got)
	}
	if code := p.exit(t); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// activate starts the binary with inherited sockets, as a .socket unit does: sh knows its own pid
// before it becomes the daemon.
func activate(t *testing.T, files []*os.File, args ...string) *process {
	t.Helper()
	c := chimera(args...)
	c.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, c.Path}, args...)
	c.Path = "/bin/sh"
	c.Env = append(c.Env, "LISTEN_FDS="+strconv.Itoa(len(files)))
	c.ExtraFiles = files
	return startProcess(t, c)
}

func TestSocketActivation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "unit.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	var files []*os.File
	for _, s := range []interface{ File() (*os.File, error) }{l, tcp} {
		f, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	// A client that is there before the daemon gets its answer when it is up.
	early, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	fmt.Fprint(early, "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	p := activate(t, files, "serve", "--socket", filepath.Join(t.TempDir(), "unused.sock"), "--ctx", "128", "--model", fixture(t, "llama"))
	if text, err := io.ReadAll(early); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200") {
		t.Errorf("the early client: %v %q", err, text)
	}
	if p.ready.HTTP == nil || *p.ready.HTTP != tcp.Addr().String() {
		t.Errorf("%s", p.line)
	}
	if p.ready.Socket != path {
		t.Errorf("the ready line names %s, the unit's socket is %s", p.ready.Socket, path)
	}
	if code, text := p.status(t, `{"prompt":[1,2],"max_tokens":1}`); code != 200 {
		t.Errorf("%d %s", code, text)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.exit(t); code != 0 {
		t.Errorf("exit %d", code)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the unit's socket is gone: %v", err)
	}
}

// largestModel is the model that takes longest to load, of those at hand.
func largestModel(t *testing.T) string {
	if model := os.Getenv("CHIMERA_SMOLLM2"); model != "" {
		return model
	}
	return fixture(t, "llama")
}

// A stop is obeyed at any moment between the socket's appearance and the ready line, and leaves no socket.
func TestTerminateWhileLoading(t *testing.T) {
	model, interrupted := largestModel(t), 0
	for delay := range 8 {
		socket := filepath.Join(t.TempDir(), "c.sock")
		p := &process{cmd: chimera("serve", "--socket", socket, "--ctx", "128", "--model", model), log: &lockedBuffer{}}
		p.cmd.Stderr = p.log
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.cmd.Process.Kill() })
		for end := time.Now().Add(15 * time.Second); !exists(socket); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("no socket:\n%s", p.log)
			}
		}
		time.Sleep(time.Duration(delay*delay) * 10 * time.Millisecond)
		p.cmd.Process.Signal(syscall.SIGTERM)
		if code := p.exit(t); code != 0 || exists(socket) {
			t.Errorf("after %d: exit %d, socket left: %v\n%s", delay, code, exists(socket), p.log)
		}
		if strings.Contains(p.log.String(), "stopped while loading") {
			interrupted++
		}
	}
	if os.Getenv("CHIMERA_SMOLLM2") != "" && interrupted == 0 {
		t.Error("no load was interrupted")
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// What is known to be wrong without the weights is refused without loading them.
func TestRefusedBeforeLoading(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "c.sock")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--http", taken.Addr().String()}, 1, "address already in use"},
		{[]string{"--socket", file}, 1, "a file that is no socket stands there"},
		{[]string{"--socket", filepath.Join(file, "c.sock")}, 1, "not a directory"},
		{[]string{"--chat-template", "nonesuch"}, 2, "neither a file"},
		{[]string{"--ctx", "1000000"}, 2, "the model was trained for"},
	} {
		r := runBinary(t, "", append([]string{"serve", "--socket", socket, "--model", fixture(t, "llama")}, c.args...)...)
		if r.code != c.code || !strings.Contains(r.errors, c.want) || strings.Contains(r.errors, "model loaded") {
			t.Errorf("%v: exit %d\n%s", c.args, r.code, r.errors)
		}
		if exists(socket) {
			t.Errorf("%v: the socket is left behind", c.args)
		}
	}
}

func TestMoreThreadsThanCores(t *testing.T) {
	p := startProcess(t, chimera("serve", "--socket", filepath.Join(t.TempDir(), "c.sock"), "--ctx", "128", "--threads", "300", "--model", fixture(t, "llama")))
	for _, part := range []string{"more threads than cores", `threads_bound_by="the setting"`} {
		if !strings.Contains(p.log.String(), part) {
			t.Errorf("no %s in\n%s", part, p.log)
		}
	}
}
