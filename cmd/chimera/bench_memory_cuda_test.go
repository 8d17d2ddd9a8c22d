//go:build cuda

package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// The build for GPUs measures copies where it finds a GPU, and says why it does not where there is none.
func TestBenchMemoryOnTheEmulatedGPU(t *testing.T) {
	onEmulatedGPU(t, "names=NVIDIA H200")
	r := runBinary(t, "", "bench", "memory", "--size", "4MiB", "--json")
	var report struct {
		Device string
		Rows   []struct {
			Pinned   bool
			ToDevice struct{ Best float64 } `json:"to_device_gb_s"`
		}
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != 0 || r.errors != "" {
		t.Fatalf("%v %+v", err, r)
	}
	if report.Device != "GPU 0 (NVIDIA H200)" || len(report.Rows) != 7 || !report.Rows[4].Pinned || report.Rows[4].ToDevice.Best <= 0 {
		t.Errorf("%+v", report)
	}
	onEmulatedGPU(t, "devices=0")
	r = runBinary(t, "", "bench", "memory", "--size", "4MiB")
	if r.code != 0 || !strings.Contains(r.errors, "device rows are left out: no NVIDIA GPU") || !strings.Contains(r.out, "\nhuge pages, locked ") {
		t.Errorf("without a GPU: %+v", r)
	}
	r = runBinary(t, "", "bench", "memory", "--size", "4MiB", "--device", "cuda:0")
	if r.code != 1 || !strings.Contains(r.errors, "device: cuda:0: no NVIDIA GPU") {
		t.Errorf("told to use one: %+v", r)
	}
}
