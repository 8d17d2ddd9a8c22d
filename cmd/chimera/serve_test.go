package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// This file owns tests of how serve is called.

// A model is an operand as well as a flag, and the flag's come first. All must be there.
func TestServeTakesModels(t *testing.T) {
	model, err := filepath.Abs(fixture(t, "llama"))
	third := filepath.Join(t.TempDir(), "third.gguf")
	if err = errors.Join(err, os.Symlink(model, third)); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, chimera("serve", model+"=second", third, "--model", model+"=first", "--socket", filepath.Join(t.TempDir(), "c.sock"), "--ctx", "128"))
	if fmt.Sprint(p.ready.Models) != "[first second third]" {
		t.Errorf("%s", p.line)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.exit(t); code != 0 {
		t.Errorf("exit %d\n%s", code, p.log)
	}
}

// A setting that would not be in force is refused before anything is loaded.
func TestVariablesNearASetting(t *testing.T) {
	t.Setenv("CHIMERA_THREAD", "1")
	if r := runBinary(t, "", "serve", "/nowhere/m.gguf"); r.code != exitUsage || !strings.Contains(r.errors, "CHIMERA_THREAD is not read; did you mean CHIMERA_THREADS?") {
		t.Errorf("%+v", r)
	}
	if r := runBinary(t, "", "ps", "--server", "/nowhere/c.sock"); r.code != exitFailed {
		t.Errorf("a verb that reads no settings: %+v", r)
	}
	t.Setenv("CHIMERA_SERVR", "/nowhere/other.sock")
	for _, verb := range []string{"ps", "gpu", "chat", "bench serve", "run x"} {
		if r := runBinary(t, "x\n", strings.Fields(verb)...); r.code != exitUsage || !strings.Contains(r.errors, "CHIMERA_SERVR is not read; did you mean CHIMERA_SERVER?") {
			t.Errorf("%s: %+v", verb, r)
		}
	}
}

// The log of a daemon on a terminal holds what clients sent.
func TestLogOnATerminal(t *testing.T) {
	x := onTerminal(t, "serve", hostileModel(t), "--log-format", "json", "--http", "0", "--socket", filepath.Join(t.TempDir(), "c.sock"))
	x.see(`"http":"`)
	address := x.see(`"`)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /v1/\u009b31m HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	io.Copy(io.Discard, c)
	x.cmd.Process.Signal(syscall.SIGTERM)
	x.wantExit(0)
	if strings.ContainsAny(x.all(), "\x1b\x7f\u009b") || strings.Count(x.all(), `"status":40`) == 0 {
		t.Errorf("%q", x.all())
	}
}
