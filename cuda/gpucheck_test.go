//go:build cuda

package cuda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorgonia.org/cu"

	"chimera/cgo"
	"chimera/cuda/cudatest"
	"chimera/engine"
	"chimera/hostmem"
)

// This file owns the GPU check: what `make gpu-check` packs runs on a machine that has a GPU and nothing else of
// the project. It holds the GPU to the CPU backend's bytes, op by op and model by model, and measures. One run must
// tell everything, since such a machine may be at hand for minutes: a difference is counted and the check
// goes on, and each group has a process of its own, so that a lost context ends its group alone.
//
// `go test` runs the same groups at small sizes on the emulated driver, which proves the checks.

const (
	checkLimit = 9 * time.Minute // of a run: the script promises ten
	groupLimit = 3 * time.Minute // of a group
	checkParts = "CHIMERA_GPU_CHECK_PART"
	checkSkip  = "CHIMERA_GPU_CHECK_SKIP"  // how many checks of the group are done already
	checkSmall = "CHIMERA_GPU_CHECK_SMALL" // sizes for the emulated driver, which is refused without it
	// exitPoisoned is a group's process that can't go on, checkProcesses how many a group may take.
	exitPoisoned   = 3
	checkProcesses = 8
)

// checkGroup is what one process checks.
type checkGroup struct {
	name string
	run  func(*checker)
}

// checkGroups begin with the figures: a machine that goes away early has given what it was lent for.
var checkGroups = []checkGroup{
	{"speed", checkSpeed}, {"copies", checkCopies},
	{"products", checkProducts}, {"rows", checkRows}, {"attention", checkAttention}, {"sampling", checkSampling},
	{"models", checkModels}, {"steps", checkSteps},
}

// checker runs a group on the GPU. Its results are on disk after each check.
type checker struct {
	small   bool
	backend *Backend
	cpu     *cgo.Backend
	part    checkPart
	path    string
	skip    int // checks that a process before this one has done
}

// size is one of two numbers: for a GPU, and for the emulated one.
func (c *checker) size(gpu, emulated int) int {
	if c.small {
		return emulated
	}
	return gpu
}

// threads are for the CPU's share of a check.
func (c *checker) threads() int { return c.size(runtime.NumCPU(), 2) }

// check runs one check; what it finds is in the verdict that it fills. The process ends with its context.
func (c *checker) check(name string, f func(*verdict) error) {
	if c.skip--; c.skip >= 0 {
		return
	}
	began := time.Now()
	v := &verdict{Group: c.part.Group, Name: name}
	if err := f(v); err != nil {
		v.Error, v.Poisoned = err.Error(), errors.Is(err, engine.ErrPoisoned)
	}
	if v.Values == 0 && v.Error == "" {
		v.Error = "nothing was compared"
	}
	v.Seconds = time.Since(began).Seconds()
	c.part.Verdicts = append(c.part.Verdicts, *v)
	c.save()
	if v.Poisoned {
		os.Exit(exitPoisoned)
	}
}

// figure notes what was measured.
func (c *checker) figure(name, unit string, value float64) {
	c.part.Figures = append(c.part.Figures, figure{name, unit, value})
	c.save()
}

// remark notes what is neither a figure nor a fault.
func (c *checker) remark(format string, args ...any) {
	c.part.Remarks = append(c.part.Remarks, c.part.Group+": "+fmt.Sprintf(format, args...))
	c.save()
}

func (c *checker) save() {
	text, err := json.Marshal(c.part)
	if err == nil {
		err = os.WriteFile(c.path, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// checkGroupMain is a group's process.
func checkGroupMain(name string) {
	c := &checker{small: os.Getenv(checkSmall) != "", part: checkPart{Group: name}, path: os.Getenv(checkParts)}
	c.skip, _ = strconv.Atoi(os.Getenv(checkSkip))
	end := verdict{Group: name, Name: "what is left behind"}
	if err := c.onGPU(&end, name); err != nil {
		end.Error = err.Error()
	}
	c.part.Verdicts = append(c.part.Verdicts, end)
	c.save()
}

// onGPU runs the group between taking the GPU and giving it back.
func (c *checker) onGPU(v *verdict, name string) (err error) {
	if c.backend, err = New(0, "the check"); err != nil {
		return err
	}
	if c.cpu, err = cgo.Open(cgo.Options{Threads: c.threads(), ISA: "auto"}); err != nil {
		return errors.Join(err, c.backend.Close())
	}
	pinner, err := OpenPinner(0)
	if err != nil {
		return errors.Join(err, c.cpu.Close(), c.backend.Close())
	}
	hostmem.UsePinner(pinner)
	for _, g := range checkGroups {
		if g.name == name {
			g.run(c)
		}
	}
	hostmem.UsePinner(nil)
	err = errors.Join(pinner.Close(), c.cpu.Close(), c.backend.Close())
	for _, u := range hostmem.Usage() {
		v.equal(u.Purpose.String()+" regions left", int64(0), u.Regions)
		if u.Fallbacks > 0 {
			c.remark("%d regions of purpose %s could not be pinned or locked; ulimit -l is what a machine allows", u.Fallbacks, u.Purpose)
		}
		if c.small && (u.Purpose == hostmem.Batch || u.Purpose == hostmem.Staging) { // the others are the CPU backend's, which may be refused a lock
			v.equal(u.Purpose.String()+" regions that could not be pinned", int64(0), u.Fallbacks)
		}
	}
	if !c.small {
		return err
	}
	v.equal("what lives in the driver", "", cudatest.Live().Leaks())
	v.equal("what was done wrong", "", strings.Join(cudatest.Violations(), "\n"))
	return err
}

// checkMain is the process of a whole run: results go to folder.
func checkMain(folder string) error {
	began := time.Now()
	report, err := newReport(os.Getenv(checkSmall) != "")
	if err != nil {
		return fmt.Errorf("%w\nThe check needs an NVIDIA GPU (A100 or later) and driver %d or later. On a machine that has them: ./run.sh", err, neededDriver)
	}
	fmt.Printf("%s; driver for CUDA %s; commit %s\n", report.Device, report.CUDA, report.Commit)
	report.observe("before")
	for _, g := range checkGroups {
		part := report.underLoad(g.name == "speed", func() checkPart { return runGroup(g.name, folder, min(groupLimit, checkLimit-time.Since(began))) })
		report.add(part)
		report.Seconds = time.Since(began).Seconds()
		if err := report.write(folder); err != nil {
			return err
		}
		for _, f := range part.Figures {
			fmt.Printf("%s: %.4g %s\n", f.Name, f.Value, f.Unit)
		}
		fmt.Printf("%s: %s\n", g.name, report.sum(g.name))
	}
	report.observe("after")
	if err := report.write(folder); err != nil {
		return err
	}
	fmt.Printf("%s\nresults: %s\n", report.sum(""), filepath.Join(folder, report.fileName()+".md"))
	if failures := report.failures(); failures != "" {
		return errors.New("the check failed\n" + failures)
	}
	return nil
}

// loadTime is when a group that measures is at it.
const loadTime = 8 * time.Second

// underLoad runs a group, and where it is asked to looks at the GPU meanwhile.
func (r *report) underLoad(look bool, run func() checkPart) checkPart {
	done := make(chan checkPart, 1)
	go func() { done <- run() }()
	if look {
		select {
		case part := <-done:
			return part
		case <-time.After(loadTime):
			r.observe("under load")
		}
	}
	return <-done
}

// runGroup runs a group's checks: in one process, or where that loses its context in further ones for the rest.
func runGroup(name, folder string, limit time.Duration) (all checkPart) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	all.Group = name
	for range checkProcesses {
		part, poisoned := runProcess(ctx, name, filepath.Join(folder, "."+name+".part"), len(all.Verdicts))
		all.Verdicts = append(all.Verdicts, part.Verdicts...)
		all.Figures = append(all.Figures, part.Figures...)
		all.Remarks = append(all.Remarks, part.Remarks...)
		if !poisoned {
			break
		}
	}
	return all
}

// runProcess runs one process of a group and reads what it found, however it ended.
func runProcess(ctx context.Context, name, path string, skip int) (part checkPart, poisoned bool) {
	defer os.Remove(path)
	self, err := os.Executable()
	var out []byte
	if err == nil {
		process := exec.CommandContext(ctx, self, name)
		process.WaitDelay = 5 * time.Second // a thread that hangs in the driver can't be killed at once
		process.Env = append(os.Environ(), childMark+"=check-group", checkParts+"="+path, fmt.Sprintf("%s=%d", checkSkip, skip))
		out, err = process.CombinedOutput()
	}
	text, readErr := os.ReadFile(path)
	if readErr == nil {
		readErr = json.Unmarshal(text, &part)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitPoisoned && readErr == nil {
		return part, true
	}
	if ctx.Err() != nil {
		err = errors.New("no time was left")
	}
	if err = errors.Join(err, readErr); err != nil || len(out) > 0 {
		said := strings.TrimSpace(fmt.Sprintf("%v %s", err, lastBytes(out)))
		part.Verdicts = append(part.Verdicts, verdict{Group: name, Name: "the group's process", Error: said})
	}
	return part, false
}

// lastBytes is the end of what a process printed: a crash's beginning is the least telling.
func lastBytes(out []byte) []byte { return out[max(0, len(out)-2000):] }

// fakeUUID is how the emulated driver's devices begin: "fake".
const fakeUUID = "GPU-66616b65"

// gpuUnderCheck is the first device; the emulated one is refused where results are to be of a real one.
func gpuUnderCheck(small bool) (DeviceInfo, error) {
	infos, err := Devices()
	if err != nil {
		return DeviceInfo{}, err
	}
	if emulated := strings.HasPrefix(infos[0].UUID, fakeUUID); emulated && !small {
		return infos[0], errors.New("this is the emulated driver: its results say nothing of a GPU")
	}
	return infos[0], infos[0].Supported()
}

func cudaVersion() string { return versionText(cu.Version()) }

// checkProcess runs the check's own process, as run.sh does.
func checkProcess(folder string, env []string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	c := exec.Command(self, folder)
	c.Env = append(env, childMark+"=check")
	out, err := c.CombinedOutput()
	return string(out), err
}

func TestGPUCheck(t *testing.T) {
	folder := t.TempDir()
	out, err := checkProcess(folder, append(cudatest.Environment(t, ""), checkSmall+"=1"))
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	var r report
	text, err := os.ReadFile(filepath.Join(folder, "fake-gpu.json"))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.Verdicts {
		if !v.good() {
			t.Errorf("%s: %s: %s", v.Group, v.Name, v.text())
		}
	}
	kernels := 0
	for _, f := range r.Figures {
		if f.Value <= 0 {
			t.Errorf("%s: %v %s", f.Name, f.Value, f.Unit)
		}
		if strings.HasPrefix(f.Name, "prefill of 32: ") {
			kernels++
		}
	}
	if kernels < 8 || r.Verdicts[0].Group != "speed" {
		t.Errorf("times of %d kernels; %s is first", kernels, r.Verdicts[0].Group)
	}
	markdown, err := os.ReadFile(filepath.Join(folder, "fake-gpu.md"))
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, string(markdown), "# Fake GPU", "driver for CUDA 13.0", "prefill of", "decode of 1 row", "| products |", "| steps |")
	t.Log(out)
}

// What fails is told by its name, a lost context too, and the rest of the group is checked all the same.
func TestGPUCheckGoesOn(t *testing.T) {
	folder := t.TempDir()
	for _, c := range []struct{ fault, bad, want string }{
		{"fault=kernel/add:1:719", "add", "CUDA_ERROR_LAUNCH_FAILED"}, {"fault=cuMemAlloc_v2:9:2", "layer norm", "CUDA_ERROR_OUT_OF_MEMORY"},
	} {
		for _, pair := range append(cudatest.Environment(t, c.fault), checkSmall+"=1") {
			name, value, _ := strings.Cut(pair, "=")
			t.Setenv(name, value)
		}
		part := runGroup("rows", folder, time.Minute)
		for _, v := range part.Verdicts {
			if v.good() != (v.Name != c.bad) || !v.good() && !strings.Contains(v.Error, c.want) {
				t.Errorf("%s: %s: %s", c.fault, v.Name, v.text())
			}
		}
		if len(part.Verdicts) != 21 {
			t.Errorf("%s: %d checks", c.fault, len(part.Verdicts))
		}
	}
	if part := runGroup("steps", folder, time.Nanosecond); len(part.Verdicts) != 1 || !strings.Contains(part.Verdicts[0].Error, "no time was left") {
		t.Errorf("no time left: %+v", part)
	}
}

// Where there is no GPU, or only the emulated one, the run says so and what to do.
func TestGPUCheckRefuses(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want string
	}{
		{cudatest.Environment(t, "names=NVIDIA H200"), "this is the emulated driver"},
		{cudatest.Environment(t, "devices=0"), "no NVIDIA GPU"},
		{cudatest.Environment(t, "driver=12040"), "install driver 580 or later"},
	} {
		folder := t.TempDir()
		out, err := checkProcess(folder, c.env)
		if err == nil {
			t.Error("it ran")
		}
		wantText(t, out, c.want, "On a machine that has them: ./run.sh")
		if left, _ := os.ReadDir(folder); len(left) > 0 {
			t.Errorf("it left %v", left)
		}
	}
}
