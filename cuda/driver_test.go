//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"chimera/cuda/cudatest"
	"chimera/engine"
)

// What the build finds on machines of all kinds: it starts on each and says what is missing.
func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		settings string
		want     []string
	}{
		{"devices=0", []string{"CUDA: no NVIDIA GPU: the driver"}},
		{"init=100", []string{"CUDA: no NVIDIA GPU: the driver (CUDA 13.0) finds none"}},
		{"driver=12040", []string{"CUDA: the NVIDIA driver is too old: it has CUDA 12.4, this build needs CUDA 13.0: install driver 580 or later"}},
		{"driver=11080;init=100", []string{"too old: it has CUDA 11.8"}},
		{"init=803", []string{"CUDA: cuInit while opening the driver", "restart the machine"}},
		{"init=802", []string{"CUDA: cuInit while opening the driver", "nvidia-fabricmanager"}},
		{"init=999", []string{"CUDA: cuInit while opening the driver", "nvidia-modprobe -u -c=0", "/dev/nvidia-uvm"}},
		{"devices=2;names=NVIDIA H200|NVIDIA L4;memory=24G;capability=8.9", []string{
			"CUDA: driver for CUDA 13.0\nGPU 0 (NVIDIA H200): 24.0 GiB, compute capability 8.9", "\nGPU 1 (NVIDIA L4): 24.0 GiB", "GPU-", "open: <nil>"}},
		{"names=Tesla T4;capability=7.5", []string{
			"GPU 0 (Tesla T4)", "not usable: GPU 0 (Tesla T4) has compute capability 7.5, at least 8.0 is needed",
			"open: GPU 0 (Tesla T4) has compute capability 7.5"}},
	} {
		t.Run(c.settings, func(t *testing.T) {
			wantText(t, child(t, "describe", cudatest.Environment(t, c.settings)), c.want...)
		})
	}
}

// A library that is none, and one that is not a driver's. (Where there is no file the text is the loader's too.)
func TestNoDriver(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, library)
	if err := os.WriteFile(path, []byte("nothing that can be loaded, longer than the header of an ELF file, which is 64 bytes"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantText(t, child(t, "describe", withLibrary(folder)), "CUDA: no NVIDIA driver: ", library, "open: no NVIDIA driver")
	compile := exec.Command("gcc", "-shared", "-o", path, "-x", "c", "-")
	compile.Stdin = strings.NewReader("int cuDriverGetVersion(int *v) { return *v = 0; }")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wantText(t, child(t, "describe", withLibrary(folder)), "CUDA: no NVIDIA driver: it is not the library of an NVIDIA driver: cuInit is missing")
}

// cu's package initialisation has run by then and found a cuInit that succeeds; nothing else does.
func TestBeforeOpen(t *testing.T) {
	if got := child(t, "before", os.Environ()); got != "NotInitialized -1" {
		t.Errorf("%q", got)
	}
}

func TestSentinels(t *testing.T) {
	if err := Open(); err != nil {
		t.Fatal(err)
	}
	if _, err := openDevice(1, ""); !errors.Is(err, ErrNoDevice) || !strings.Contains(err.Error(), "no NVIDIA GPU 1: the machine has 1") {
		t.Error(err)
	}
	if _, err := openDevice(-1, ""); !errors.Is(err, ErrNoDevice) {
		t.Error(err)
	}
}

// Each driver symbol that the binary refers to has a slot; what has none would link all the same, beside
// the NVML bindings, and end the process when it is called.
func TestEverySymbolHasASlot(t *testing.T) {
	out, err := exec.Command("../scripts/shim_symbols.sh").Output()
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("shim_symbols.h")
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != string(have) {
		t.Errorf("cuda/shim_symbols.h is not what scripts/shim_symbols.sh prints: run it (%d bytes, want %d)", len(have), len(out))
	}
	if n := strings.Count(string(have), "SYMBOL("); n < 150 {
		t.Errorf("only %d symbols", n)
	}
}

// What a person must see to before cuInit succeeds poisons nothing: new processes would meet the same, over and over.
func TestMachineNotSetUp(t *testing.T) {
	for code, machine := range map[int]bool{999: true, 803: true, 802: false, 46: false, 3: false} {
		err := fmt.Errorf("device: auto: %w", openError("cuInit", code))
		if errors.Is(err, ErrMachine) != machine || machine && errors.Is(err, engine.ErrPoisoned) {
			t.Errorf("%d: poisoned %t, the machine's %t", code, errors.Is(err, engine.ErrPoisoned), errors.Is(err, ErrMachine))
		}
	}
	if later := newError("cuMemAlloc", 999); !errors.Is(later, engine.ErrPoisoned) || errors.Is(later, ErrMachine) {
		t.Error("the same code of a later call is a device that can't be trusted")
	}
}

// A device that answers wrongly while it is listed is named with the call.
func TestListingFails(t *testing.T) {
	cudatest.Check(t)
	for _, call := range []string{"cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceGetUuid_v2", "cuDeviceTotalMem_v2", "cuDeviceGetAttribute", "cuDeviceGetPCIBusId"} {
		cudatest.Fault(t, call, 1, 999, 0)
		_, err := Devices()
		var e *Error
		if !errors.As(err, &e) || e.Code != 999 || !strings.Contains(err.Error(), strings.TrimSuffix(call, "_v2")+" while listing the devices: ") {
			t.Errorf("%s: %v", call, err)
		}
	}
}
