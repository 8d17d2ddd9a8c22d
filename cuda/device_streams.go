//go:build cuda

package cuda

// #include <cuda.h>
import "C"

import "gorgonia.org/cu"

// This file owns order on a device: streams, and events between them and the host.

// makeStream makes a stream that does not wait for the default stream, which nothing here uses.
func (d *device) makeStream() (cu.Stream, error) {
	if err := d.begin("cuStreamCreate", 0); err != nil {
		return cu.Stream{}, err
	}
	s, err := cu.MakeStream(cu.NonBlocking)
	if err := d.end(err); err != nil {
		return cu.Stream{}, err
	}
	d.book(func(l *ledger) { l.Streams++ })
	return s, nil
}

func (d *device) destroyStream(s cu.Stream) error {
	if err := d.begin("cuStreamDestroy", 0); err != nil {
		return err
	}
	if err := d.end(s.Destroy()); err != nil {
		return err
	}
	d.book(func(l *ledger) { l.Streams-- })
	return nil
}

// synchronize waits until a stream has done all that was queued. An error may be of any of that.
func (d *device) synchronize(s cu.Stream) error {
	if err := d.begin("cuStreamSynchronize", 0); err != nil {
		return err
	}
	return d.end(s.Synchronize())
}

// makeEvent makes an event that the host sleeps for, and that takes no time stamps: both are cheaper.
func (d *device) makeEvent() (cu.Event, error) {
	if err := d.begin("cuEventCreate", 0); err != nil {
		return cu.Event{}, err
	}
	e, err := cu.MakeEvent(cu.BlockingSyncEvent | cu.DisableTiming)
	if err := d.end(err); err != nil {
		return cu.Event{}, err
	}
	d.book(func(l *ledger) { l.Events++ })
	return e, nil
}

func (d *device) destroyEvent(e cu.Event) error {
	if err := d.begin("cuEventDestroy", 0); err != nil {
		return err
	}
	if err := d.end(cu.DestroyEvent(&e)); err != nil {
		return err
	}
	d.book(func(l *ledger) { l.Events-- })
	return nil
}

// record makes e stand for all that is queued on s now.
func (d *device) record(e cu.Event, s cu.Stream) error {
	if err := d.begin("cuEventRecord", 0); err != nil {
		return err
	}
	return d.end(e.Record(s))
}

// query tells whether what e stands for is done. An event that was never recorded is.
func (d *device) query(e cu.Event) (done bool, err error) {
	if err := d.begin("cuEventQuery", 0); err != nil {
		return false, err
	}
	err = e.Query()
	if codeOf(err) == C.CUDA_ERROR_NOT_READY {
		return false, d.end(nil)
	}
	return err == nil, d.end(err)
}

// await waits until what e stands for is done.
func (d *device) await(e cu.Event) error {
	if err := d.begin("cuEventSynchronize", 0); err != nil {
		return err
	}
	return d.end(e.Synchronize())
}

// streamWait makes what is queued on s from now on wait for e; the host does not.
func (d *device) streamWait(s cu.Stream, e cu.Event) error {
	if err := d.begin("cuStreamWaitEvent", 0); err != nil {
		return err
	}
	return d.end(s.Wait(e, 0))
}
