package energy

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"
)

// This file owns tests over trees of files like those of machines.

// machine is a root's files.
type machine fstest.MapFS

func (m machine) set(name, text string) machine {
	m[name] = &fstest.MapFile{Data: []byte(text)}
	return m
}

// zone has a counter that goes round at a span.
func (m machine) zone(at, name string, value, span uint64) machine {
	m.set(folder+"/"+at+"/name", name+"\n").set(folder+"/"+at+"/max_energy_range_uj", fmt.Sprintln(span))
	return m.count(at, value)
}

func (m machine) count(at string, value uint64) machine {
	return m.set(folder+"/"+at+"/energy_uj", fmt.Sprintln(value))
}

// twoSockets is a server with memory counters, beside parts of packages and the whole machine.
func twoSockets() machine {
	m := machine{}
	m.set(folder+"/intel-rapl/enabled", "1\n").set(folder+"/dtpm/name", "no counter\n")
	m.zone("intel-rapl:0", "package-0", 5_000_000, 262_143_328_850).zone("intel-rapl:0:0", "core", 1_000_000, 1_000_000_000).zone("intel-rapl:0:1", "dram", 7_000_000, 65_712_999_613)
	m.zone("intel-rapl:1", "package-1", 262_143_000_000, 262_143_328_850).zone("intel-rapl:2", "psys", 9_000_000, 1_000_000_000_000)
	return m.zone("intel-rapl-mmio:0", "package-0", 5_000_000, 262_143_328_850)
}

var noon = time.Date(2027, 1, 2, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, m machine) *Packages {
	t.Helper()
	p, err := Open(fstest.MapFS(m), noon)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Packages and memory are counted once each, and a counter that goes round goes on.
func TestLap(t *testing.T) {
	m := twoSockets()
	p := open(t, m)
	for _, at := range []string{"intel-rapl:0:0", "intel-rapl:2", "intel-rapl-mmio:0"} {
		m.count(at, 900_000_000)
	}
	m.count("intel-rapl:0", 105_000_000).count("intel-rapl:0:1", 27_000_000).count("intel-rapl:1", 671_150)
	if got, err := p.Lap(noon.Add(time.Minute)); err != nil || !(math.Abs(got-(100+20+1)) <= 1e-9) {
		t.Errorf("%v J, %v", got, err)
	}
	if got, err := p.Lap(noon.Add(2 * time.Minute)); err != nil || got != 0 {
		t.Errorf("nothing was taken: %v J, %v", got, err)
	}
}

// Laps add up to what was taken, wherever the counter begins and however often it goes round.
func TestLapsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.Uint64Range(1_000, 300_000_000_000).Draw(t, "span")
		value, m := rapid.Uint64Range(0, span-1).Draw(t, "begin"), machine{}
		p, err := Open(fstest.MapFS(m.zone("intel-rapl:0", "package-0", value, span)), noon)
		if err != nil {
			t.Fatal(err)
		}
		sum, want := 0.0, 0.0
		for i := range rapid.IntRange(1, 30).Draw(t, "laps") {
			took := rapid.Uint64Range(0, span-1).Draw(t, "took")
			value = (value + took) % span
			m.count("intel-rapl:0", value)
			joules, err := p.Lap(noon.Add(time.Duration(i+1) * time.Minute))
			if err != nil || joules < 0 {
				t.Fatal(joules, err)
			}
			sum, want = sum+joules, want+float64(took)/1e6
		}
		if !(math.Abs(sum-want) <= 1e-9*want+1e-9) {
			t.Fatalf("%v J, want %v", sum, want)
		}
	})
}

// A reading that failed, or came too late, makes its stretch unknown, and the one behind it where there was none to begin from.
func TestUnknownLaps(t *testing.T) {
	m := twoSockets()
	p := open(t, m)
	if got, err := p.Lap(noon.Add(MostApart + time.Second)); !errors.Is(err, ErrApart) || !math.IsNaN(got) {
		t.Errorf("too late: %v J, %v", got, err)
	}
	kept := m[folder+"/intel-rapl:1/energy_uj"]
	for i, bad := range []string{"", "-1\n", "1e3\n", "262143328851\n", strings.Repeat("9", 70)} {
		m.set(folder+"/intel-rapl:1/energy_uj", bad)
		if got, err := p.Lap(noon.Add(3 * time.Minute)); err == nil || !math.IsNaN(got) || !strings.Contains(err.Error(), "/"+folder+"/intel-rapl:1/energy_uj") {
			t.Errorf("%d: %v J, %v", i, got, err)
		}
	}
	m[folder+"/intel-rapl:1/energy_uj"] = kept
	if got, err := p.Lap(noon.Add(4 * time.Minute)); err == nil || !math.IsNaN(got) {
		t.Errorf("behind a reading that failed: %v J, %v", got, err)
	}
	m.count("intel-rapl:0", 6_000_000)
	if got, err := p.Lap(noon.Add(5 * time.Minute)); err != nil || got != 1 {
		t.Errorf("%v J, %v", got, err)
	}
	if got, err := p.Lap(noon); !errors.Is(err, ErrApart) || !math.IsNaN(got) {
		t.Errorf("a clock that was set back: %v J, %v", got, err)
	}
}

// closed is a tree of which one file is root's alone.
type closed struct {
	fs.FS
	name string
}

func (c closed) Open(name string) (fs.File, error) {
	if name == c.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.FS.Open(name)
}

func TestNotReadable(t *testing.T) {
	without := twoSockets()
	delete(without, folder+"/intel-rapl:0/max_energy_range_uj")
	secret := folder + "/intel-rapl:1/energy_uj"
	for name, c := range map[string]struct {
		root fs.FS
		is   error
		says string
	}{
		"no counters":       {fstest.MapFS{}, ErrNone, "no energy counters"},
		"parts alone":       {fstest.MapFS(machine{}.zone("intel-rapl:0", "psys", 1, 2)), ErrNone, folder},
		"no right to":       {closed{fstest.MapFS(twoSockets()), secret}, fs.ErrPermission, "/" + secret + ": Linux lets root alone"},
		"no range":          {fstest.MapFS(without), fs.ErrNotExist, "/" + folder + "/intel-rapl:0/max_energy_range_uj"},
		"a range of no sum": {fstest.MapFS(twoSockets().set(folder+"/intel-rapl:0/max_energy_range_uj", "x\n")), nil, "max_energy_range_uj: \"x\" is no number"},
	} {
		if _, err := Open(c.root, noon); err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBusy(t *testing.T) {
	m := machine{}
	for line, want := range map[string]time.Duration{
		"cpu  100 20 30 4000 500 6 7 80 9 10\ncpu0 1 2 3\n": 163 * tick, "cpu 0 0 0 1 0 0 0\n": 0,
	} {
		if got, err := Busy(fstest.MapFS(m.set(stat, line))); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", line, got, err, want)
		}
	}
	for _, line := range []string{"", "cpu 1 2 3 4 5 6 7", "cpu0 1 2 3 4 5 6 7\n", "cpu 1 2 3\n", "cpu -1 2 3 4 5 6 7\n", "cpu 281474976710655 281474976710655 281474976710655 4 5 281474976710655 281474976710655\n", "cpu 999999999999999999999 2 3 4 5 6 7\n"} {
		if got, err := Busy(fstest.MapFS(m.set(stat, line))); err == nil || !strings.Contains(err.Error(), "/"+stat) {
			t.Errorf("%q: %v, %v", line, got, err)
		}
	}
	if _, err := Busy(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, c := range []struct {
		own, all time.Duration
		want     float64
	}{{time.Second, 4 * time.Second, 0.25}, {time.Second, 0, 1}, {3 * tick, 2 * tick, 1}, {0, time.Second, 0}, {-tick, time.Second, 0}, {0, 0, 0}} {
		if got := Share(c.own, c.all); got != c.want {
			t.Errorf("%v of %v: %v, want %v", c.own, c.all, got, c.want)
		}
	}
}
