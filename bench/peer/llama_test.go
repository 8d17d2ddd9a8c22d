package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program writes a shell script that stands for a peer's, and keeps what it was asked.
func program(t *testing.T, name, script string) (folder string) {
	folder = t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\necho \"$*\" >> %s/asked\n%s\n", folder, script)
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

func asked(t *testing.T, folder string) string {
	text, err := os.ReadFile(filepath.Join(folder, "asked"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// As ik_llama.cpp may, it logs among what it prints.
const benchOutput = `cat <<'END'
===== a log
[
  {"build_commit": "abc", "n_prompt": 512, "n_gen": 0, "samples_ts": [100, 300, 200]}
===== another
, {"build_commit": "abc", "n_prompt": 0, "n_gen": 64, "samples_ts": [30, 10, 20]}]
END`

// The best repetition of each counts.
func TestLlamaBench(t *testing.T) {
	folder := program(t, "llama-bench", benchOutput)
	s := setup{peer: folder, model: "m.gguf", threads: 3}
	f, err := s.engine(t.Context(), llama, steps{prompt: 512, generate: 64})
	if err != nil || f.String() != "prefill 512 (tokens/s) 300; decode 64 (tokens/s) 30" {
		t.Errorf("%s %v", f, err)
	}
	if got := asked(t, folder); got != "-m m.gguf -t 3 -p 512 -n 64 -r 3 -o json\n" {
		t.Errorf("asked %q", got)
	}
}

// A row without decoding has no figure of it.
func TestPromptAlone(t *testing.T) {
	s := setup{peer: program(t, "llama-bench", `echo '[{"n_prompt": 4096, "samples_ts": [7]}]'`)}
	if f, err := s.engine(t.Context(), llama, steps{prompt: 4096}); err != nil || f.String() != "prefill 4096 (tokens/s) 7" {
		t.Errorf("%s %v", f, err)
	}
}

// Of ik_llama.cpp each figure is that of the faster kind of weights: here prompts are faster with repacking, and decoding without.
func TestIKIsTheFasterOfTwo(t *testing.T) {
	folder := program(t, "llama-bench", `case "$*" in *"-rtr 0") p=400 d=50;; *"-rtr 1") p=500 d=40;; esac
echo "[{\"n_gen\": 0, \"samples_ts\": [$p]}, {\"n_gen\": 64, \"samples_ts\": [$d]}]"`)
	s := setup{ik: folder}
	f, err := s.engine(t.Context(), ik, steps{prompt: 512, generate: 64})
	if err != nil || f.String() != "prefill 512 (tokens/s) 500; decode 64 (tokens/s) 50" {
		t.Errorf("%s %v", f, err)
	}
}

// Lines that are no JSON are passed over; a program that measured nothing, or fails, is an error that says what it printed.
func TestBatched(t *testing.T) {
	folder := program(t, "llama-batched-bench", `echo; echo 'a log'; echo '{"speed_tg": 70.5}'; echo '{"speed_tg": 90.5}'; echo '{"speed_tg": 80.5}'`)
	s := setup{peer: folder, model: "m.gguf", threads: 2}
	f, err := s.engine(t.Context(), llama, steps{generate: 64, batch: 8})
	if err != nil || f.String() != "decode 64 (tokens/s) 90.5" {
		t.Errorf("%s %v", f, err)
	}
	if got := asked(t, folder); got != "-m m.gguf -t 2 -c 520 -npp 1 -ntg 64 -npl 8,8,8 --output-format jsonl\n" {
		t.Errorf("asked %q", got)
	}
	for script, want := range map[string]string{"echo nothing": "nothing was measured", "echo out of rope >&2; exit 3": "out of rope", "echo '{'": "JSON"} {
		s.peer = program(t, "llama-batched-bench", script)
		if _, err := s.engine(t.Context(), llama, steps{generate: 64, batch: 8}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", script, err)
		}
	}
}

func TestLlamaBenchFails(t *testing.T) {
	for script, want := range map[string]string{"echo no such type >&2; exit 1": "no such type", "echo text": "nothing was measured", "echo '[]'": "nothing was measured", `echo '[{"n_gen": 1}]'`: "nothing was measured", "echo '{x}'": "invalid"} {
		s := setup{peer: program(t, "llama-bench", script)}
		if _, err := s.engine(t.Context(), llama, steps{prompt: 1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", script, err)
		}
	}
}

// Chimera is asked for the same steps, and tells what decoding reads where the row is one sequence and the backend knows.
func TestChimeraEngine(t *testing.T) {
	const limits = `, "packed_bytes": 110, "file_bytes": 100, "read_gb_per_second": 15, "limits": {"read_gb_per_second": 20}`
	for _, c := range []struct {
		steps        steps
		more         string
		asked, wants string
	}{
		{steps{prompt: 512, generate: 64}, limits, "--prompt 512 --generate 64 --batch 1 --depth 0",
			"prefill 512 (tokens/s) 900; decode 64 (tokens/s) 80; packed bytes of the file's 1.1; decode reads (GB/s) 15; decode reads, of measured bandwidth 0.75"},
		{steps{prompt: 512, generate: 64}, `, "limits": null`, "--prompt 512 --generate 64 --batch 1 --depth 0", "prefill 512 (tokens/s) 900; decode 64 (tokens/s) 80"},
		{steps{generate: 64, batch: 8}, limits, "--prompt 1 --generate 64 --batch 8 --depth 1", "decode 64 (tokens/s) 80"},
		{steps{prompt: 4096}, limits, "--prompt 4096 --generate 1 --batch 1 --depth 0", "prefill 4096 (tokens/s) 900"},
	} {
		folder := program(t, "chimera", fmt.Sprintf(`echo '{"prefill_tokens_per_second": 900, "decode_tokens_per_second": 80%s}'`, c.more))
		s := setup{chimera: filepath.Join(folder, "chimera"), model: "m.gguf", threads: 2, isa: "avx2"}
		f, err := s.engine(t.Context(), chimera, c.steps)
		if err != nil || f.String() != c.wants {
			t.Errorf("%s %v", f, err)
		}
		if got := asked(t, folder); got != "bench engine --json --model m.gguf --threads 2 --isa avx2 --rows  --rounds 3 "+c.asked+"\n" {
			t.Errorf("asked %q", got)
		}
	}
}

// Rounds are outermost, then models, then kinds: all of them meet the same noise. What fails has no figures, and the rest goes on.
func TestTurns(t *testing.T) {
	peer := program(t, "llama-bench", `case "$*" in *"-m b.gguf"*) exit 1;; esac
`+benchOutput)
	own := program(t, "chimera", `echo '{"prefill_tokens_per_second": 600, "decode_tokens_per_second": 15}'`)
	s := setup{chimera: filepath.Join(own, "chimera"), peer: peer, ik: peer, rounds: 2, isa: "auto"}
	var x table
	selected, err := selectRows("engine")
	err = errors.Join(err, s.fill(t.Context(), &x, []string{"folder/a.gguf", "b.gguf"}, selected))
	if n := strings.Count(fmt.Sprint(err), "b, engine alone, "); n != 4 {
		t.Errorf("%d failures: %v", n, err)
	}
	want := "| a, engine alone: prefill 512 (tokens/s) | 600 | 600 | 300 | 300 | 2 | 2 | 300 | 300 | 2 | 2 |\n"
	if text := x.String(); !strings.Contains(text, want) || !strings.Contains(text, "| b, engine alone: decode 64 (tokens/s) | 15 | 15 |  |  |  |  |  |  |  |  |\n") {
		t.Errorf("%s", text)
	}
	lines := strings.Split(strings.TrimSpace(asked(t, peer)), "\n")
	if len(lines) != 2*(3+2) || !strings.Contains(lines[0], "a.gguf") || !strings.Contains(lines[3], "b.gguf") || !strings.Contains(lines[5], "a.gguf") {
		t.Errorf("order: %q", lines)
	}
}

// The head names each file and each peer's commit; a peer that does not work ends all before anything is measured.
func TestVersions(t *testing.T) {
	model := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(model, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	own, peer := program(t, "chimera", "echo chimera 1.0"), program(t, "llama-bench", benchOutput)
	s := setup{chimera: filepath.Join(own, "chimera"), peer: peer, ik: peer, threads: 2, isa: "avx2"}
	text, err := s.versions(t.Context(), []string{model})
	for _, want := range []string{"2 threads, instruction set avx2", "chimera 1.0", "\nllama.cpp: commit abc", "\nik_llama.cpp: commit abc", "m.gguf: SHA-256 ba7816bf"} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("no %q in %s: %v", want, text, err)
		}
	}
	s.ik = program(t, "llama-bench", "exit 1")
	if _, err := s.versions(t.Context(), []string{model}); err == nil {
		t.Error("a peer that fails is not told")
	}
}

// Two files of one name would share their lines of the table.
func TestModelsHaveNamesOfTheirOwn(t *testing.T) {
	if err := distinct([]string{"x/a.gguf", "x/b.gguf"}); err != nil {
		t.Error(err)
	}
	err := run(t.Context(), setup{threads: 1, rounds: 1, waves: 1}, []string{"x/a.gguf", "b.gguf", "y/a.gguf"}, "engine")
	if err == nil || !strings.Contains(err.Error(), "x/a.gguf and y/a.gguf") {
		t.Errorf("%v", err)
	}
}
