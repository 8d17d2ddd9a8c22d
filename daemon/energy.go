package daemon

import (
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"strings"
	"time"

	"chimera/energy"
	"chimera/gpu"
	"chimera/measure"
)

// This file owns the energy that the daemon is taken to have used: of the processors its part by CPU time of what all programs computed, of graphics
// cards that it computes on the whole. docs/HISTORY.md has what that leaves out.

// staleReading is how old a card's reading may be: it is read every second or two, unless its driver hangs.
const staleReading = 30 * time.Second

// What is said where energy is not known.
var (
	errNoCardEnergy = errors.New("the graphics card's energy is not known: its driver does not count it, or the card is split (MIG)")
	errStaleCard    = errors.New("the graphics card's energy is not known: it was not read of late, see the log")
	errNoCardYet    = errors.New("the graphics card has not been read twice yet")
	errFirstReading = errors.New("the energy counters of the processors have just been found: they are known from the next minute on")
)

// energyMeter reads it from stretch to stretch.
type energyMeter struct {
	root       fs.FS
	packages   *energy.Packages         // nil: there is nothing to read yet
	looked     time.Time                // for packages
	busy       time.Duration            // of all programs, at the last reading; below 0: it could not be read
	own        time.Duration            // CPU time of the process by then
	cards      func() []gpu.DeviceState // those that the models compute on
	joules     map[string]float64       // of cards by UUID, at the last reading
	unreadable error                    // why packages is nil
	said       string                   // what was last logged; "": all is known
}

// lookAgain is after how long counters are looked for again that were not there, or not to be read: somebody may have given the right to, or loaded their driver.
const lookAgain = 10 * time.Minute

// newEnergyMeter begins with a machine's files. Where they can't be read the log says why, once.
func newEnergyMeter(root fs.FS, cards func() []gpu.DeviceState, now time.Time, own time.Duration) *energyMeter {
	m := &energyMeter{root: root, cards: cards, joules: map[string]float64{}}
	if m.open(now, own); m.unreadable != nil {
		slog.Info("the energy of the processors is not known: costs have no joules of them", "cause", m.unreadable)
		m.said = m.unreadable.Error()
	}
	return m
}

// open looks for the processors' counters; own is the process's CPU time by then.
func (m *energyMeter) open(now time.Time, own time.Duration) {
	m.looked, m.own = now, own
	packages, err := energy.Open(m.root, now)
	if err == nil {
		m.busy, err = energy.Busy(m.root)
	}
	if m.unreadable = err; err == nil {
		m.packages = packages
	}
}

// lap is the energy of the stretch since the last one, and why some of it is not known; own is the process's CPU time so far.
func (m *energyMeter) lap(now time.Time, own time.Duration) (e measure.Energy, problem string) {
	var failed [2]error
	e.CPU, failed[0] = m.lapProcessors(now, own)
	e.GPU, failed[1] = m.lapCards(now)
	if err := errors.Join(failed[:]...); err != nil {
		problem = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	if problem != m.said {
		m.tell(problem)
	}
	return e, problem
}

// tell logs what has changed of what is known, once.
func (m *energyMeter) tell(problem string) {
	m.said = problem
	if problem == "" {
		slog.Info("all energy is known from this minute on: costs have their joules")
		return
	}
	slog.Info("some energy of this minute is not known", "cause", problem)
}

// lapProcessors is the processors' and their memory's.
func (m *energyMeter) lapProcessors(now time.Time, own time.Duration) (float64, error) {
	if m.packages == nil {
		if now.Sub(m.looked) < lookAgain {
			return math.NaN(), m.unreadable
		}
		if m.open(now, own); m.unreadable != nil {
			return math.NaN(), m.unreadable
		}
		return math.NaN(), errFirstReading
	}
	joules, err := m.packages.Lap(now)
	busy, unread := energy.Busy(m.root)
	if unread != nil {
		busy = -1
	}
	all, mine := busy-m.busy, own-m.own
	known := err == nil && busy >= 0 && m.busy >= 0
	m.busy, m.own = busy, own
	if !known {
		return math.NaN(), errors.Join(err, unread)
	}
	return joules * energy.Share(mine, all), nil
}

// readable says why a card's energy is not known.
func readable(d gpu.DeviceState, now time.Time) error {
	switch {
	case d.Reading == nil || now.Sub(d.ReadAt) > staleReading:
		return errStaleCard
	case d.Reading.Energy == nil || d.Reading.MIG != nil && *d.Reading.MIG:
		return errNoCardEnergy
	}
	return nil
}

// lapCards is the graphics cards'. Where one is not known, the sum is not.
func (m *energyMeter) lapCards(now time.Time) (float64, error) {
	list := m.cards()
	if len(list) == 0 {
		return math.NaN(), nil
	}
	sum, failed := 0.0, error(nil)
	for _, d := range list {
		if err := readable(d, now); err != nil {
			delete(m.joules, d.UUID)
			failed = err
			continue
		}
		last, known := m.joules[d.UUID]
		at := *d.Reading.Energy
		m.joules[d.UUID] = at
		if !known || at < last { // the driver was loaded anew
			failed = errNoCardYet
			continue
		}
		sum += at - last
	}
	if failed != nil {
		return math.NaN(), failed
	}
	return sum, nil
}
