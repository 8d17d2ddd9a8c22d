package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// This file owns tests of quantize as its user sees it: what is kept, what is told, and what it refuses.

func TestQuantize(t *testing.T) {
	model, out := fixture(t, "gpt2"), filepath.Join(t.TempDir(), "out.gguf")
	if nameOf(model) != "gpt2-f32" {
		t.Skip("the table speaks of tensors of gpt2: set CHIMERA_CONFORMANCE")
	}
	for _, c := range []struct {
		args []string
		code int
		says string            // on standard error; "": nothing
		is   map[string]string // tensors' types afterwards
	}{
		{[]string{"--type", "q8_0"}, 0, "", map[string]string{"position_embd.weight": "F32", "blk.0.ffn_up.weight": "Q8_0", "blk.0.ffn_up.bias": "F32"}},
		{[]string{"--type", "q8_0", "--tensor-type", "ffn_up=f16", "--tensor-type", "^position_embd=f16"}, 0, "",
			map[string]string{"position_embd.weight": "F16", "blk.0.ffn_up.weight": "F16", "blk.0.ffn_down.weight": "Q8_0"}},
		{[]string{"--type", "q4_1"}, 2, "q4_1", nil},
		{[]string{"--type", "f16", "--tensor-type", "ffn_up"}, 2, "PATTERN=TYPE", nil},
		{[]string{"--type", "f16", "--tensor-type", "fnf_up=f16"}, 1, `"fnf_up" finds no tensor`, nil},
	} {
		r := runBinary(t, "", append(append([]string{"quantize"}, c.args...), model, out)...)
		if r.code != c.code || c.says == "" && r.errors != "" || !strings.Contains(r.errors, c.says) {
			t.Errorf("%v: %+v", c.args, r)
		}
		shown := runBinary(t, "", "show", out, "--tensors").out
		for name, want := range c.is {
			if !regexp.MustCompile(regexp.QuoteMeta(name) + ` +` + want + ` `).MatchString(shown) {
				t.Errorf("%v: %s is not %s in\n%s", c.args, name, want, shown)
			}
		}
	}
	if r := runBinary(t, "", "quantize", "--type", "f16", model, model); r.code != 1 || !strings.Contains(r.errors, "the file that is read") {
		t.Errorf("onto itself: %+v", r)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := runBinary(t, "", "quantize", "--type", "f16", model, pipe); r.code != 1 || !strings.Contains(r.errors, "no regular file") {
		t.Errorf("onto a pipe: %+v", r)
	}
}

// A mix is as small as was asked for, told as a table, and the same each time.
func TestQuantizeMix(t *testing.T) {
	model, folder := fixture(t, "llama"), t.TempDir()
	if nameOf(model) != "llama-f32" {
		t.Skip("a larger model takes hours: set CHIMERA_CONFORMANCE")
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--mix", "6"}, 2, "calibrate"},
		{[]string{"--mix", "6", "--calibrate", "qa", "--type", "q4_k"}, 2, "mix type"},
		{[]string{"--mix", "nan", "--calibrate", "qa"}, 2, "use bits a value, such as 3.5, or bytes such as 900MiB"},
		{[]string{"--mix", "-1", "--calibrate", "qa"}, 2, "more than 0 bits"},
		{[]string{"--mix", "1", "--calibrate", "qa"}, 2, "there is none as small"},
		{[]string{"--mix", "6", "--calibrate", "none.jsonl"}, 1, "none.jsonl"},
	} {
		if r := runBinary(t, "", append(append([]string{"quantize"}, c.args...), model, filepath.Join(folder, "out"))...); r.code != c.code || !strings.Contains(r.errors, c.says) {
			t.Errorf("%v: %+v", c.args, r)
		}
	}
	var files [][]byte
	for _, name := range []string{"first", "second"} {
		out := filepath.Join(folder, name)
		r := runBinary(t, "", "quantize", "--mix", "6", "--calibrate", "qa", model, out)
		if r.code != 0 || !strings.Contains(r.out, "KL ALONE") || !regexp.MustCompile(`, (5\.[89]\d*|6\.000) bits a value; KL 0\.`).MatchString(r.out) {
			t.Errorf("%+v", r)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("two files of one mix differ")
	}
}

// Without room on its disk, for which a limit on the size of files stands, quantize leaves what was there, and nothing else.
func TestQuantizeWithoutRoom(t *testing.T) {
	folder := t.TempDir()
	out := filepath.Join(folder, "out.gguf")
	if err := os.WriteFile(out, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := chimera("quantize", "--type", "f32", fixture(t, "llama"), out)
	limited := exec.Command("sh", append([]string{"-c", `ulimit -f 8; exec "$@"`, "sh"}, whole.Args...)...)
	limited.Env = whole.Env
	told, err := limited.CombinedOutput()
	if limited.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(told), "file too large") {
		t.Errorf("%v: %s", err, told)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(out); err != nil || string(data) != "precious" || len(entries) != 1 {
		t.Errorf("%v; %d bytes, %d files", err, len(data), len(entries))
	}
}
