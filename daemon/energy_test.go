package daemon

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"chimera/gpu"
	"chimera/gpu/gputest"
)

// This file owns tests of the energy that the daemon is taken to have used.

// sockets is a machine's files: a counter in µJ of each processor, and the ticks that all CPUs have computed.
func sockets(ticks uint64, microjoules ...uint64) fstest.MapFS {
	m := fstest.MapFS{"proc/stat": &fstest.MapFile{Data: []byte(fmt.Sprintf("cpu  %d 0 0 99 0 0 0 0 0 0\n", ticks))}}
	for i, n := range microjoules {
		at := fmt.Sprintf("sys/class/powercap/intel-rapl:%d/", i)
		for name, text := range map[string]string{"name": fmt.Sprintf("package-%d", i), "max_energy_range_uj": "262143328850", "energy_uj": fmt.Sprint(n)} {
			m[at+name] = &fstest.MapFile{Data: []byte(text + "\n")}
		}
	}
	return m
}

// become makes a machine's files others.
func become(m, other fstest.MapFS) {
	clear(m)
	for name, file := range other {
		m[name] = file
	}
}

func noCards() []gpu.DeviceState { return nil }

// Of the processors' energy the daemon has its part of what all programs computed; what can't be read is not known, and the next stretch is again.
func TestEnergyOfProcessors(t *testing.T) {
	now := time.Now()
	machine := sockets(1000, 5_000_000, 7_000_000)
	m := newEnergyMeter(machine, noCards, now, time.Second)
	become(machine, sockets(1800, 65_000_000, 47_000_000)) // 100 J in 8 s of CPU time
	if e, problem := m.lap(now.Add(time.Minute), 3*time.Second); e.CPU != 25 || !math.IsNaN(e.GPU) || problem != "" {
		t.Errorf("a quarter of 100 J: %+v, %q", e, problem)
	}
	without := sockets(1900, 65_000_000)
	become(machine, without)
	if e, problem := m.lap(now.Add(2*time.Minute), 4*time.Second); !math.IsNaN(e.CPU) || !strings.Contains(problem, "intel-rapl:1/energy_uj") {
		t.Errorf("a counter that has gone: %+v, %q", e, problem)
	}
	become(machine, sockets(2000, 165_000_000, 47_000_000))
	m.lap(now.Add(3*time.Minute), 5*time.Second)
	become(machine, sockets(2100, 265_000_000, 47_000_000))
	if e, problem := m.lap(now.Add(4*time.Minute), 6*time.Second); e.CPU != 100 || problem != "" {
		t.Errorf("nobody else computed: %+v, %q", e, problem)
	}
	delete(machine, "proc/stat")
	if e, problem := m.lap(now.Add(5*time.Minute), 6*time.Second); !math.IsNaN(e.CPU) || !strings.Contains(problem, "/proc/stat") {
		t.Errorf("nobody knows what others computed: %+v, %q", e, problem)
	}
	found := sockets(0)
	late := newEnergyMeter(found, noCards, now, 0)
	become(found, sockets(1000, 1_000_000))
	if e, problem := late.lap(now.Add(lookAgain-time.Second), time.Second); !math.IsNaN(e.CPU) || !strings.Contains(problem, "no energy counters") {
		t.Errorf("it is looked for now and then: %+v, %q", e, problem)
	}
	if e, problem := late.lap(now.Add(lookAgain), 2*time.Second); !math.IsNaN(e.CPU) || !strings.Contains(problem, "just been found") {
		t.Errorf("there is one reading: %+v, %q", e, problem)
	}
	become(found, sockets(1400, 21_000_000)) // 20 J in 4 s, of which one is the daemon's
	if e, problem := late.lap(now.Add(lookAgain+time.Minute), 3*time.Second); e.CPU != 5 || problem != "" || late.said != "" {
		t.Errorf("a quarter of 20 J: %+v, %q", e, problem)
	}
	none := newEnergyMeter(fstest.MapFS{}, noCards, now, 0)
	for i := range 30 {
		if e, problem := none.lap(now.Add(time.Duration(i)*time.Minute), 0); !math.IsNaN(e.CPU) || !strings.Contains(problem, "no energy counters") {
			t.Errorf("a machine without counters: %+v, %q", e, problem)
		}
	}
}

// A card's energy is the difference of its counter, of those that the models compute on alone; a driver that was loaded anew, or counts none, is not known.
func TestEnergyOfCards(t *testing.T) {
	s, err := gputest.Parse("energy", "title A card that counts\ndevices 2\n0s gpu=0 energy=1000\n0s gpu=1 energy=70\n50s gpu=0 energy=4500\n50s gpu=1 energy=9000\n110s gpu=0 energy=10\n170s gpu=0 energy=20.5\n230s gpu=0 energy=-\n290s gpu=0 energy=50\n350s gpu=0 energy=60 mig=on\nend 480s\n---\n")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		c := newGPUController(s.Open(over), func() {})
		c.serve(s.Places()[:1], governs(nil), 8)
		ctx, cancel := context.WithTimeout(t.Context(), s.Length)
		watched := make(chan struct{})
		go func() { c.watcher.Run(ctx); close(watched) }()
		m := newEnergyMeter(fstest.MapFS{}, c.computing, time.Now(), 0)
		time.Sleep(5 * time.Second)
		for i, want := range []float64{math.NaN(), 3500, math.NaN(), 10.5, math.NaN(), math.NaN(), math.NaN()} {
			e, problem := m.lap(time.Now(), 0)
			if e.GPU != want && !(math.IsNaN(e.GPU) && math.IsNaN(want)) || math.IsNaN(want) != strings.Contains(problem, "graphics card") {
				t.Errorf("minute %d: %v J, want %v (%q)", i, e.GPU, want, problem)
			}
			time.Sleep(time.Minute)
		}
		cancel()
		<-watched
		if e, _ := m.lap(time.Now().Add(time.Hour), 0); !math.IsNaN(e.GPU) {
			t.Errorf("a card that was not read for an hour: %v J", e.GPU)
		}
		close(over)
		time.Sleep(time.Second)
	})
	if e, problem := newEnergyMeter(fstest.MapFS{}, newGPUController(gpu.Open, func() {}).computing, time.Now(), 0).lap(time.Now(), 0); !math.IsNaN(e.GPU) || strings.Contains(problem, "card") {
		t.Errorf("no card is computed on: %+v, %q", e, problem)
	}
}

// What is known of energy is told once, when it changes: not each minute.
func TestEnergyIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	was := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(was)
	now, machine := time.Now(), sockets(0)
	m := newEnergyMeter(machine, noCards, now, 0)
	minutes := func(n int, files fstest.MapFS) (lines int) {
		become(machine, files)
		log.Reset()
		for range n {
			now = now.Add(time.Minute)
			m.lap(now, 0)
		}
		return strings.Count(log.String(), "\n")
	}
	for i, c := range []struct {
		files fstest.MapFS
		want  int
	}{{sockets(0), 0}, {sockets(1, 5), 2}, {sockets(2, 6), 0}, {sockets(2), 1}, {sockets(2, 7), 2}} { // gone, first unreadable and then once more behind that
		if got := minutes(25, c.files); got != c.want {
			t.Errorf("%d: %d lines, want %d: %s", i, got, c.want, log.String())
		}
	}
}
