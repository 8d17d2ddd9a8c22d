package main

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// residentMiB is what a process holds of the machine's memory: its own pages and the mapped files'.
func residentMiB(t *testing.T, pid int) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("no VmRSS in %s", status)
	}
	kib, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib / 1024
}

// printedMiB is what the daemon said at start that it mapped for a purpose.
func printedMiB(t *testing.T, log, purpose string) float64 {
	t.Helper()
	found := regexp.MustCompile(`msg=memory .*\b` + purpose + `_mib=([0-9.]+)`).FindStringSubmatch(log)
	if found == nil {
		t.Fatalf("the log does not say what %s take:\n%s", purpose, log)
	}
	mib, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return mib
}

// otherMiB is what a serving daemon may hold beside weights and KV cache.
const otherMiB = 100

// The source file's pages are given back after repacking, and neither load nor chatter leaves more.
func TestResidentMemory(t *testing.T) {
	model := os.Getenv("CHIMERA_SMOLLM2")
	if model == "" {
		t.Skip("set CHIMERA_SMOLLM2 (make test does)")
	}
	d := startDaemon(t, "--model", model, "--ctx", "512", "--max-sequences", "4") // a small cache: it hides nothing
	atStart := residentMiB(t, d.cmd.Process.Pid)
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			body := map[string]any{"prompt": strings.Repeat(fmt.Sprintf("word %d and ", i), 80), "max_tokens": 8}
			if _, err := post(http.DefaultClient, d.http, body); err != nil {
				t.Error(err)
			}
		})
	}
	clients.Wait()
	serving := residentMiB(t, d.cmd.Process.Pid)
	d.stop(t)
	weights, kv := printedMiB(t, d.log.String(), "weights"), printedMiB(t, d.log.String(), "kv")
	t.Logf("%.0f MiB at start, %.0f serving; weights %.0f, KV %.0f", atStart, serving, weights, kv)
	if serving > weights+kv+otherMiB || atStart > weights+kv+otherMiB {
		t.Errorf("%.0f MiB at start, %.0f serving: more than %d beyond weights %.0f and KV %.0f", atStart, serving, otherMiB, weights, kv)
	}
}
