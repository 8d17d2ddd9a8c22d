// Package gputest plays scenarios: a gpu.Reader whose devices do what a file says, for tests of what stands above NVML.
// The scenarios follow NVIDIA's documents; none was recorded on a GPU.
//
// This file owns the form of the files: title and start, then lines of a time and what happens then, then, below a
// line of dashes, the verdicts, which gpu's test writes and checks.
package gputest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"chimera/gpu"
)

// Scenario is one file.
type Scenario struct {
	Name     string // the file's, without its ending
	Title    string
	Devices  int
	Refusal  string // why the driver can't be opened
	Length   time.Duration
	Instance uint32 // the MIG instance that the daemon computes on, 0 for the whole GPU
	Head     string // the file up to the dashes
	Verdicts string // below them
	steps    []step
}

// step changes one device.
type step struct {
	at     time.Duration
	device int
	fields map[string]string // readings by name
	xid    uint64
	owner  *uint32 // the MIG instance that met it
	state  string  // "hang", "return", "lost", "reset_required", "deaf" or "failing"
}

// All reads the scenarios of a folder.
func All(folder string) ([]*Scenario, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("no scenarios in %s: %w", folder, err)
	}
	var list []*Scenario
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s, err := Parse(strings.TrimSuffix(filepath.Base(name), ".txt"), string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, s)
	}
	return list, nil
}

// Parse reads one scenario.
func Parse(name, text string) (*Scenario, error) {
	s := &Scenario{Name: name, Devices: 1}
	head, verdicts, ok := strings.Cut(text, "---\n")
	if !ok {
		return nil, errors.New("there is no line of dashes")
	}
	s.Head, s.Verdicts = head, verdicts
	for number, line := range strings.Split(strings.TrimSuffix(head, "\n"), "\n") {
		if err := s.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
	}
	if s.Title == "" || s.Length == 0 {
		return nil, errors.New("a scenario has a title and an end")
	}
	return s, nil
}

func (s *Scenario) line(text string) (err error) {
	key, value, _ := strings.Cut(text, " ")
	value = strings.TrimSpace(value)
	switch key {
	case "", "#":
	case "title":
		s.Title = value
	case "devices":
		s.Devices, err = strconv.Atoi(value)
	case "refuses":
		s.Refusal = value
	case "instance":
		err = s.setInstance(value)
	case "end":
		s.Length, err = time.ParseDuration(value)
	default:
		err = s.step(key, strings.Fields(value))
	}
	return err
}

// setInstance makes the first GPU one that is split, of which the daemon has one part.
func (s *Scenario) setInstance(value string) error {
	n, err := number[uint32](value)
	if err == nil {
		s.Instance = *n
	}
	return err
}

// Places are where the daemon computes: on all GPUs, and on one instance of a GPU that is split.
func (s *Scenario) Places() (list []gpu.Place) {
	for i := range s.Devices {
		d := s.device(i)
		p := gpu.Place{Bus: d.Bus, UUID: d.UUID}
		if s.Instance != 0 {
			p.UUID = instanceUUID(s.Instance)
		}
		list = append(list, p)
	}
	return list
}

func (s *Scenario) step(at string, words []string) (err error) {
	n := step{fields: map[string]string{}}
	if n.at, err = time.ParseDuration(at); err != nil {
		return err
	}
	for _, word := range words {
		key, value, assigns := strings.Cut(word, "=")
		switch {
		case !assigns && slices.Contains([]string{"hang", "return", "lost", "reset_required", "deaf", "failing"}, key):
			n.state = key
		case key == "gpu":
			n.device, err = strconv.Atoi(value)
		case key == "xid":
			n.xid, err = strconv.ParseUint(value, 10, 64)
		case key == "instance":
			n.owner, err = number[uint32](value)
		case assigns:
			n.fields[key] = value
			err = set(new(normal()), key, value) // refused here, not while it plays
		default:
			err = fmt.Errorf("%q is no reading and no state", word)
		}
		if err != nil {
			return err
		}
	}
	if n.device < 0 || n.device >= s.Devices {
		return fmt.Errorf("there is no GPU %d", n.device)
	}
	s.steps = append(s.steps, n)
	return nil
}

// normal is a busy card of 80 GB with nothing wrong.
func normal() gpu.Reading {
	return gpu.Reading{
		MemoryUsed: new(uint64(30 << 30)), MemoryTotal: new(uint64(80 << 30)), Utilisation: new(uint32(92)), MemoryUtilisation: new(uint32(61)),
		Power: new(480.0), PowerLimit: new(700.0), Energy: new(1e6), SMClock: new(uint32(1755)), MemoryClock: new(uint32(2619)), Throttle: []gpu.Reason{},
		Temperature: new(uint32(61)), SlowdownAt: new(uint32(87)), ShutdownAt: new(uint32(92)),
		ECCCorrected: new(uint64(0)), ECCUncorrected: new(uint64(0)), Remapped: &gpu.RemappedRows{},
		PCIeReplays: new(uint64(0)), NVLink: &gpu.NVLinkErrors{}, Recovery: new(gpu.RecoverNothing), MIG: new(false),
	}
}

// set changes a reading's field; a dash takes it away.
func set(r *gpu.Reading, key, value string) error {
	var err error
	switch key {
	case "temperature":
		r.Temperature, err = number[uint32](value)
	case "slowdown": // the threshold in degrees
		r.SlowdownAt, err = number[uint32](value)
	case "margin": // above the threshold, which is at -2
		var n int64
		n, err = strconv.ParseInt(value, 10, 32)
		r.Margin, r.SlowdownMargin = new(int32(n)), new(int32(-2))
	case "power_brake": // for how long, in all
		var d time.Duration
		d, err = time.ParseDuration(value)
		r.Slowed = gpu.SlowTime{gpu.HWPowerBrake: d}
	case "utilisation":
		r.Utilisation, err = number[uint32](value)
	case "energy": // in joules
		r.Energy, err = joules(value)
	case "sm_clock":
		r.SMClock, err = number[uint32](value)
	case "ecc_corrected":
		r.ECCCorrected, err = number[uint64](value)
	case "ecc_uncorrected":
		r.ECCUncorrected, err = number[uint64](value)
	case "recovery":
		r.Recovery, err = number[gpu.Recovery](value)
	case "mig":
		r.MIG = new(value == "on")
	case "throttle":
		r.Throttle = reasons(value)
	case "remapped":
		r.Remapped = rows(value)
	case "retired":
		r.Retired = nil
		if value != "-" {
			r.Retired = &gpu.RetiredPages{DoubleBit: 1, Pending: value == "pending"}
		}
	default:
		err = fmt.Errorf("there is no reading %q", key)
	}
	return err
}

func number[T ~uint32 | ~uint64](value string) (*T, error) {
	if value == "-" {
		return nil, nil
	}
	n, err := strconv.ParseUint(value, 10, 64)
	return new(T(n)), err
}

func joules(value string) (*float64, error) {
	if value == "-" {
		return nil, nil
	}
	x, err := strconv.ParseFloat(value, 64)
	return &x, err
}

func reasons(value string) []gpu.Reason {
	switch value {
	case "-":
		return nil
	case "none":
		return []gpu.Reason{}
	}
	var list []gpu.Reason
	for r := range strings.SplitSeq(value, "+") {
		list = append(list, gpu.Reason(r))
	}
	return list
}

func rows(value string) *gpu.RemappedRows {
	if value == "-" {
		return nil
	}
	return &gpu.RemappedRows{Uncorrected: 1, Pending: value == "pending", Failed: value == "failed"}
}

// Words writes a verdict as the scenario files and docs/GPU.md do.
func Words(v gpu.Verdict) string {
	text := v.Action.String()
	if v.Needs != gpu.Nothing {
		text += " (" + v.Needs.String() + ")"
	}
	if v.Reason != "" {
		text += ": " + v.Reason
	}
	return text
}
