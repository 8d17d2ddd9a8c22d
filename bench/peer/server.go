package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"chimera/client"
)

// This file owns the two servers: how they are started alike, and what is known of them from outside.

// kind is one of the two.
type kind struct {
	name    string
	ready   string // path that answers 200 when it serves
	command func(s setup, r row, folder string, port int) (*exec.Cmd, error)
}

var chimera = kind{"Chimera", "/health/ready", func(s setup, r row, folder string, port int) (*exec.Cmd, error) {
	args := []string{
		"serve", "--threads", strconv.Itoa(s.threads), "--socket", filepath.Join(folder, "c.sock"),
		"--http", fmt.Sprintf("127.0.0.1:%d", port), "--log-level", "error",
	}
	if r.config == nil {
		return exec.Command(s.chimera, append(args, "--model", s.model)...), nil
	}
	path := filepath.Join(folder, "chimera.toml")
	if err := os.WriteFile(path, []byte(r.config(s)), 0o600); err != nil {
		return nil, err
	}
	return exec.Command(s.chimera, append(args, "--config", path)...), nil
}}

// A slot for each client, with room for its prompt and answer.
var llama = kind{"llama.cpp", "/health", func(s setup, r row, _ string, port int) (*exec.Cmd, error) {
	return exec.Command(filepath.Join(s.peer, "llama-server"), "-m", s.model, "-t", strconv.Itoa(s.threads), "-np", strconv.Itoa(r.clients),
		"-c", strconv.Itoa(r.clients*r.context), "--port", strconv.Itoa(port)), nil
}}

// servers are those that a row is about.
func (s setup) servers(r row) []kind {
	if s.peer == "" || r.alone {
		return []kind{chimera}
	}
	return []kind{chimera, llama}
}

// server is one that runs.
type server struct {
	setup
	kind
	client *client.Client
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process has
	folder string
}

// start returns when it serves. Whoever has it stops it.
func (s setup) start(ctx context.Context, k kind, r row) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	x := &server{setup: s, kind: k, client: client.New(url), folder: folder}
	if err := x.launch(r, port); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err := x.await(ctx, url+k.ready); err != nil {
		text, _ := os.ReadFile(x.log())
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, text), x.stop())
	}
	return x, nil
}

func (x *server) log() string { return filepath.Join(x.folder, "log") }

func (x *server) launch(r row, port int) (err error) {
	if x.cmd, err = x.command(x.setup, r, x.folder, port); err != nil {
		return err
	}
	log, err := os.Create(x.log())
	if err != nil {
		return err
	}
	x.cmd.Stdout, x.cmd.Stderr = log, log
	if err := errors.Join(x.cmd.Start(), log.Close()); err != nil {
		return err
	}
	x.ended = make(chan struct{})
	go func() {
		defer close(x.ended)
		_ = x.cmd.Wait() // how it ended is in its state
	}()
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// startLimit is far beyond what a load takes.
const startLimit = 2 * time.Minute

// await asks until it serves.
func (x *server) await(ctx context.Context, url string) error {
	late := time.After(startLimit)
	for {
		if answer, err := http.Get(url); err == nil {
			if answer.Body.Close(); answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-x.ended:
			return fmt.Errorf("%s does not start", x.name)
		case <-late:
			return fmt.Errorf("%s does not serve after %v", x.name, startLimit)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stop ends the server at once: what it still computes is of no use. One that had ended by itself has not served the load.
func (x *server) stop() error {
	_ = x.cmd.Process.Kill()
	<-x.ended
	err := os.RemoveAll(x.folder)
	if status, ok := x.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		err = errors.Join(err, fmt.Errorf("%s had ended: %s", x.name, x.cmd.ProcessState))
	}
	return err
}

// peakMemory is the most that the process has held, in MiB.
func (x *server) peakMemory() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", x.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kib float64
	_, err = fmt.Sscanf(rest, "%f kB", &kib)
	return kib / 1024, err
}

// versions say what was measured.
func (s setup) versions(ctx context.Context) (string, error) {
	text, err := exec.CommandContext(ctx, s.chimera, "version").Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.chimera, err)
	}
	file, err := os.ReadFile(s.model)
	if err != nil {
		return "", err
	}
	all := fmt.Sprintf("%s, SHA-256 %.8x; %d threads\n\n%s", filepath.Base(s.model), sha256.Sum256(file), s.threads, strings.TrimSpace(string(text)))
	if s.peer == "" {
		return all, nil
	}
	text, err = exec.CommandContext(ctx, filepath.Join(s.peer, "llama-server"), "--version").CombinedOutput()
	return all + "\n\nllama.cpp: " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", ", "), err
}
