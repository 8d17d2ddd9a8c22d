//go:build cuda

package main

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"chimera/cuda/cudatest"
)

// These tests run the build for GPUs as a process, on an emulated driver or on none.

// onEmulatedGPU makes processes that are started from here on find the emulated driver.
func onEmulatedGPU(t *testing.T, settings string) {
	for _, pair := range cudatest.Environment(t, settings) {
		name, value, _ := strings.Cut(pair, "=")
		if os.Getenv(name) != value {
			t.Setenv(name, value)
		}
	}
}

func TestWhatTheGPUBuildFinds(t *testing.T) {
	for _, c := range []struct {
		settings string
		want     []string
	}{
		{"devices=2;names=A|B;memory=8G;capability=8.6", []string{"GPU 0 (A): 8.0 GiB, compute capability 8.6", "GPU 1 (B)"}},
		{"devices=0", []string{"no NVIDIA GPU"}},
		{"driver=12040", []string{"the NVIDIA driver is too old: it has CUDA 12.4, this build needs CUDA 13.0: install driver 580 or later"}},
		{"capability=7.5", []string{"not usable", "at least 8.0 is needed"}},
	} {
		t.Run(c.settings, func(t *testing.T) {
			onEmulatedGPU(t, c.settings)
			out, err := chimera("version").CombinedOutput()
			for _, want := range c.want {
				if err != nil || !strings.Contains(string(out), want) {
					t.Errorf("%v: %s does not say %q", err, out, want)
				}
			}
		})
	}
	t.Run("no driver", func(t *testing.T) {
		out, err := chimera("version").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "CUDA: ") {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// Without a GPU the build for GPUs serves from the CPU and says why; told to use one it refuses.
func TestGPUBuildWithoutGPU(t *testing.T) {
	onEmulatedGPU(t, "devices=0")
	model := fixture(t, "llama")
	d := startDaemon(t, "--model", model, "--ctx", "128")
	if log := d.log.String(); !strings.Contains(log, "computing on the CPU") || !strings.Contains(log, "no NVIDIA GPU") || !strings.Contains(log, "backend=cpu") {
		t.Errorf("the log does not say why it is slow:\n%s", log)
	}
	out, err := chimera("serve", "--socket", t.TempDir()+"/c.sock", "--model", model, "--device", "cuda:0").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "device: cuda:0: no NVIDIA GPU") {
		t.Errorf("%v: %s", err, out)
	}
	onEmulatedGPU(t, "capability=7.5")
	d = startDaemon(t, "--model", model, "--ctx", "128")
	if log := d.log.String(); !strings.Contains(log, "no NVIDIA GPU that can be used: GPU 0") || !strings.Contains(log, "backend=cpu") {
		t.Errorf("the log does not say why it is slow:\n%s", log)
	}
	onEmulatedGPU(t, "init=802") // a fabric that is not up yet: the CPU must not take over for good
	out, err = chimera("serve", "--socket", t.TempDir()+"/c.sock", "--model", model).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "device: auto: cuInit") || !strings.Contains(string(out), "--device cpu") {
		t.Errorf("%v: %s", err, out)
	}
	onEmulatedGPU(t, "devices=1")
	out, err = chimera("perplexity", "--model", model, "--text", model, "--device", "cuda:1").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "GPU 1: the machine has 1") {
		t.Errorf("%v: %s", err, out)
	}
}

// What a GPU has no room for is refused before anything is loaded, with the figures.
func TestGPUMemoryIsPlanned(t *testing.T) {
	onEmulatedGPU(t, "memory=1M")
	model := fixture(t, "llama")
	out, err := chimera("logits", "--model", model, "--ids", "1", "--ctx", "64", "--out", t.TempDir()+"/out.f32", "--device", "cuda:0").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the model needs") || !strings.Contains(string(out), "GPU 0 (Fake GPU) leaves 1 MiB") {
		t.Errorf("%v: %s", err, out)
	}
	onEmulatedGPU(t, "memory=1G")
	d := startDaemon(t, "--model", model, "--ctx", "128")
	if log := d.log.String(); !strings.Contains(log, `msg="device memory" device="GPU 0 (Fake GPU)"`) || !strings.Contains(log, "staging") && !strings.Contains(log, "batch_pinned_mib") {
		t.Errorf("memory is not printed by purpose:\n%s", log)
	}
}

// The openai package gets the same answers, log-probabilities included, from the emulated GPU as from the CPU.
func TestOpenAIClientOnTheEmulatedGPU(t *testing.T) {
	python := os.Getenv("CHIMERA_PYTHON")
	if python == "" {
		t.Skip("set CHIMERA_PYTHON (make test-cuda does)")
	}
	onEmulatedGPU(t, "")
	var transcripts []string
	for _, device := range []string{"cpu", "cuda:0"} {
		d := startDaemon(t, "--model", fixture(t, "llama"), "--ctx", "256", "--max-sequences", "4", "--chat-template", "chatml", "--device", device)
		c := exec.Command(python, "testdata/openai_transcript.py", d.http, d.socket)
		c.Stderr = os.Stderr
		out, err := c.Output()
		if err != nil || len(out) < 1000 {
			t.Fatalf("%s: %v\n%s\n%s", device, err, out, d.log)
		}
		transcripts = append(transcripts, string(out))
		if used := settled(t, d, "chimera_kv_pages_used", 0); used != 0 {
			t.Errorf("%s: %v pages are still used", device, used)
		}
		d.stop(t)
	}
	if transcripts[0] != transcripts[1] {
		t.Errorf("the answers differ:\n%s\n%s", transcripts[0], transcripts[1])
	}
}

// A GPU that faults ends the daemon with the code for which its unit starts it anew; the client gets an error.
func TestPoisonedGPUEndsTheDaemon(t *testing.T) {
	onEmulatedGPU(t, "fault=cuGraphLaunch:6:700")
	d := startDaemon(t, "--model", fixture(t, "llama"), "--ctx", "256", "--device", "cuda:0")
	answer, err := post(http.DefaultClient, d.http, map[string]any{"prompt": []int{1, 2, 3}, "max_tokens": 100, "ignore_eos": true})
	if err == nil && !strings.Contains(answer, "error") {
		t.Errorf("the client got %s", answer)
	}
	_ = d.cmd.Wait()
	if code := d.cmd.ProcessState.ExitCode(); code != 10 {
		t.Errorf("exit %d\n%s", code, d.log)
	}
	for _, want := range []string{"cuGraphLaunch", "computing a step of llama", "GPU 0"} {
		if !strings.Contains(d.log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, d.log)
		}
	}
}
