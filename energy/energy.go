// Package energy reads what the processors of a machine have taken of energy, and how long they have computed for anybody.
//
// Counters are those that Linux shows of RAPL (Running Average Power Limit: Intel SDM vol. 3B, section 16.10; AMD since Zen has the same interface) under
// /sys/class/powercap, as Documentation/power/powercap/powercap.rst has them. Graphics cards are not its business: gpu has their counters.
//
// This file owns Packages, the counters of a machine from reading to reading.
package energy

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strings"
	"time"
)

// folder is where the kernel lists zones. What goes by the name intel-rapl-mmio there is the same counters by another way.
const folder = "sys/class/powercap"

// mostZones bounds what is read: a machine has a zone or two a socket and a die.
const mostZones = 1024

// MostApart is how far apart two readings may be. The counters of 32 bits go round after 65 kJ on some machines, which a socket of 400 W takes in 160 s; one that
// may have gone round twice says nothing.
const MostApart = 150 * time.Second

// Errors of Packages.
var (
	ErrNone  = errors.New("the machine shows no energy counters of its processors (" + folder + "/intel-rapl:*)")
	ErrApart = fmt.Errorf("two readings of the energy counters were more than %v apart", MostApart)
	errFirst = errors.New("the energy counters were not read before")
)

// zone is a counter.
type zone struct {
	path string
	span uint64 // µJ after which it begins anew
}

// Packages are the counters of all processors: those named package-N, and dram, where memory has one of its own, which the package's is without. Parts
// of a package (core, uncore) and the whole machine (psys) would count the same energy twice. It is one goroutine's.
type Packages struct {
	files fs.FS
	zones []zone
	last  []uint64 // (zones) µJ; nil: they could not be read
	at    time.Time
}

// Open finds the counters under a machine's root and reads them the first time. Its error says why they can't be read, and names the file.
func Open(root fs.FS, now time.Time) (*Packages, error) {
	entries, err := fs.Glob(root, folder+"/intel-rapl:*")
	if err != nil || len(entries) > mostZones {
		return nil, errors.Join(ErrNone, err)
	}
	p := &Packages{files: root}
	for _, at := range entries {
		name, err := text(root, path.Join(at, "name"))
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(name, "package-") && name != "dram" {
			continue
		}
		span, err := number(root, path.Join(at, "max_energy_range_uj"))
		if err != nil {
			return nil, err
		}
		p.zones = append(p.zones, zone{path.Join(at, "energy_uj"), span})
	}
	if len(p.zones) == 0 {
		return nil, ErrNone
	}
	if p.last, err = p.read(); err != nil {
		return nil, err
	}
	p.at = now.Round(0)
	return p, nil
}

// Lap is the energy in joules that all counters together have counted since the last reading, Open's or Lap's. With an error nobody knows it; the next
// Lap begins from this reading.
func (p *Packages) Lap(now time.Time) (joules float64, err error) {
	values, err := p.read()
	last, passed := p.last, now.Round(0).Sub(p.at) // on the clock of the wall, which goes on while the machine sleeps
	p.last, p.at = values, now.Round(0)
	switch {
	case err != nil:
		return math.NaN(), err
	case last == nil:
		return math.NaN(), errFirst
	case passed < 0 || passed > MostApart:
		return math.NaN(), ErrApart
	}
	for i, z := range p.zones {
		joules += float64(z.since(last[i], values[i])) / 1e6
	}
	return joules, nil
}

// since is what the counter has counted between two readings.
func (z *zone) since(last, now uint64) uint64 {
	if now < last {
		return now + (z.span - last) // it has begun anew
	}
	return now - last
}

// read takes all counters; nil with an error.
func (p *Packages) read() ([]uint64, error) {
	values := make([]uint64, len(p.zones))
	for i, z := range p.zones {
		value, err := number(p.files, z.path)
		if err != nil {
			return nil, err
		}
		if value > z.span {
			return nil, fmt.Errorf("/%s: %d µJ is more than its range of %d", z.path, value, z.span)
		}
		values[i] = value
	}
	return values, nil
}
