package gputest

import (
	"errors"
	"fmt"
	"time"

	"chimera/gpu"
)

// This file owns the reader that plays a scenario. It keeps no state but the time it was opened at: what a device is
// follows from the steps up to now, so that threads which ask at the same time need no lock.

type reader struct {
	scenario *Scenario
	start    time.Time
	closed   chan struct{}
	heard    chan gpu.Event
}

// Open starts the scenario: its times count from here. Calls that hang come back when the scenario says so, at the latest
// when over is closed.
func (s *Scenario) Open(over chan struct{}) func(*gpu.Call) (gpu.Reader, error) {
	return func(call *gpu.Call) (gpu.Reader, error) {
		call.Enter("nvmlInit")
		if s.Refusal != "" {
			return nil, errors.New(s.Refusal)
		}
		r := &reader{scenario: s, start: time.Now(), closed: over, heard: make(chan gpu.Event, len(s.steps))}
		go r.play()
		return r, nil
	}
}

// play sends the Xids at their times.
func (r *reader) play() {
	for _, n := range r.scenario.steps {
		if n.xid == 0 {
			continue
		}
		select {
		case <-time.After(time.Until(r.start.Add(n.at))):
			r.heard <- gpu.Event{Device: n.device, Xid: n.xid, Instance: n.owner}
		case <-r.closed:
			return
		}
	}
}

// Devices implements gpu.Reader.
func (r *reader) Devices(*gpu.Call) (list []gpu.Device, err error) {
	for i := range r.scenario.Devices {
		list = append(list, r.scenario.device(i))
	}
	return list, nil
}

// device describes a GPU. A split one has three instances.
func (s *Scenario) device(i int) gpu.Device {
	d := gpu.Device{Index: i, Name: "Scenario 80GB", UUID: fmt.Sprintf("GPU-00000000-0000-0000-0000-%012d", i), Bus: fmt.Sprintf("0000:%02x:00.0", 0x17+i)}
	if s.Instance != 0 {
		for _, part := range []uint32{1, 2, 5} {
			d.Instances = append(d.Instances, gpu.Instance{UUID: instanceUUID(part), GPU: part})
		}
	}
	return d
}

func instanceUUID(part uint32) string { return fmt.Sprintf("MIG-10000000-0000-0000-0000-%012d", part) }

// now is a device's reading and state at this moment.
func (r *reader) now(device int) (reading gpu.Reading, state string) {
	reading = normal()
	for _, n := range r.scenario.steps {
		if n.device != device || n.at > time.Since(r.start) {
			continue
		}
		for key, value := range n.fields {
			_ = set(&reading, key, value) // was checked when the file was read
		}
		if n.state != "" {
			state = n.state
		}
	}
	return reading, state
}

// tick is how often a call that hangs looks whether it may come back.
const tick = 100 * time.Millisecond

// Read implements gpu.Reader.
func (r *reader) Read(index int, call *gpu.Call) (gpu.Reading, error) {
	call.Enter("nvmlDeviceGetTemperature")
	time.Sleep(time.Duration(1+index) * time.Millisecond) // a reading takes time: what happens at once has its order
	reading, state := r.now(index)
	for ; state == "hang"; reading, state = r.now(index) {
		select {
		case <-time.After(tick):
		case <-r.closed:
			return gpu.Reading{}, errors.New("the scenario is over")
		}
	}
	switch state {
	case "lost":
		return gpu.Reading{}, fmt.Errorf("nvmlDeviceGetTemperature: %w", gpu.ErrLost)
	case "reset_required":
		return gpu.Reading{}, fmt.Errorf("nvmlDeviceGetTemperature: %w", gpu.ErrResetRequired)
	case "failing":
		return gpu.Reading{}, errors.New("nvmlDeviceGetTemperature: Unknown Error")
	}
	return reading, nil
}

// NextEvent implements gpu.Reader.
func (r *reader) NextEvent(wait time.Duration, call *gpu.Call) (gpu.Event, bool, error) {
	if _, state := r.now(0); state == "deaf" {
		return gpu.Event{}, false, gpu.ErrNoEvents
	}
	call.Enter("nvmlEventSetWait")
	select {
	case e := <-r.heard:
		return e, true, nil
	case <-time.After(wait):
		return gpu.Event{}, false, nil
	}
}

// Close implements gpu.Reader.
func (r *reader) Close() {}
