package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

func TestBenchMemory(t *testing.T) {
	r := runBinary(t, "", "bench", "memory", "--device", "cpu", "--size", "4MiB")
	if r.code != 0 || r.errors != "" || !strings.Contains(r.out, "\nhuge pages, locked ") || !strings.Contains(r.out, "\nno GPU: device rows are left out\n") {
		t.Errorf("%+v", r)
	}
	r = runBinary(t, "", "bench", "memory", "--size", "4198401", "--json") // no whole page
	var report struct {
		Bytes int64
		Runs  int
		Rows  []struct {
			Name   string
			Random struct{ Median, Best float64 } `json:"random_ns"`
		}
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || report.Bytes != 4198401 || len(report.Rows) != 4 || report.Rows[0].Random.Best <= 0 {
		t.Errorf("%v %+v\n%s", err, report, r.out)
	}
}

// The load generator is what bench does without a further word, as before.
func TestBenchMemoryUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"bench memory --size 0", 2, "--size is 0 bytes"}, {"bench memory --size 4095KiB", 2, "must lie between"}, {"bench memory --size -1", 2, "--size"},
		{"bench memory --size 9007199254740992KiB", 2, "use a number of bytes"}, {"bench memory --size 9223372036854775808", 2, "use a number of bytes"},
		{"bench memory --size 4MB", 2, "use a number of bytes"}, {"bench memory --size MiB", 2, "use a number of bytes"}, {"bench memory --size=", 2, "use a number of bytes"},
		{"bench memory --size 1024GiB", 2, "leaves"}, {"bench memory --sise 4MiB", 2, "did you mean --size?"},
		{"bench memory --device gpu", 2, "use auto, cpu or cuda:N"}, {"bench memory extra", 2, "extra"}, {"bench memry", 2, "memry"}, {"bench memory --clients 8", 2, "unknown flag: --clients"},
		{"bench --clients 8 --server " + t.TempDir() + "/none", 1, "no daemon answers"},
	} {
		r := runBinary(t, "", strings.Fields(c.args)...)
		if r.code != c.code || !strings.Contains(r.errors, c.want) || (r.out != "") != (c.code == 1) {
			t.Errorf("chimera %s: exit %d, want %d with %q\n%s%s", c.args, r.code, c.code, c.want, r.out, r.errors)
		}
	}
	for _, part := range []string{"Usage:\n  chimera bench memory [flags]", "Examples:\n", "(default 256MiB)"} {
		if r := runBinary(t, "", "bench", "memory", "--help"); r.code != 0 || !strings.Contains(r.out, part) {
			t.Errorf("no %q in %s", part, r.out)
		}
	}
	if r := runBinary(t, "", "bench", "--help"); !strings.Contains(r.out, "\n  memory ") || !strings.Contains(r.out, "--clients") {
		t.Errorf("bench --help: %s", r.out)
	}
}

func TestBenchMemoryInterrupted(t *testing.T) {
	c := chimera("bench", "memory", "--size", "64MiB")
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); residentMiB(t, c.Process.Pid) < 80; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			c.Process.Kill()
			t.Fatal("it measures nothing")
		}
	}
	c.Process.Signal(os.Interrupt)
	if err := c.Wait(); c.ProcessState.ExitCode() != exitInterrupted || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("%v %q", err, errs.String())
	}
}
