//go:build cuda

package cuda

// #include <cuda.h>
import "C"

import (
	"errors"
	"unsafe"

	"gorgonia.org/cu"
)

// This file owns graphs: a step's launches, captured once and started by one call.

// graph is an executable graph; the zero graph is none.
type graph struct{ exec C.CUgraphExec }

func rawStream(s cu.Stream) C.CUstream { return C.CUstream(unsafe.Pointer(s.C())) }

// capture makes a graph of what f queues on s; nothing of it runs. f may use other streams too, if they
// wait for an event of s first and s waits for one of theirs at the end. While f runs nothing else may
// be asked of the device that the driver refuses during a capture: allocations, waits, queries.
func (d *device) capture(s cu.Stream, f func() error) (graph, error) {
	if err := d.beginCapture(s); err != nil {
		return graph{}, err
	}
	err := f()
	captured, endErr := d.endCapture(s) // after an error too: the stream must leave its capture
	if captured == nil {
		return graph{}, oneCause(err, endErr)
	}
	var g graph
	if err = oneCause(err, endErr); err == nil {
		g, err = d.instantiate(captured)
	}
	if destroyErr := d.destroyCaptured(captured); destroyErr != nil {
		if err == nil {
			destroyErr = oneCause(destroyErr, d.destroyGraph(g))
		}
		return graph{}, oneCause(err, destroyErr)
	}
	return g, err
}

// beginCapture is strict for this thread alone: other devices may allocate meanwhile.
func (d *device) beginCapture(s cu.Stream) error {
	if err := d.begin("cuStreamBeginCapture", 0); err != nil {
		return err
	}
	return d.endCode(int(C.cuStreamBeginCapture(rawStream(s), C.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)))
}

func (d *device) endCapture(s cu.Stream) (C.CUgraph, error) {
	if err := d.begin("cuStreamEndCapture", 0); err != nil {
		return nil, err
	}
	var captured C.CUgraph
	err := d.endCode(int(C.cuStreamEndCapture(rawStream(s), &captured)))
	return captured, err
}

// instantiating is the call that takes a graph's memory on the device.
const instantiating = "cuGraphInstantiateWithFlags"

// noRoom tells whether the device had no memory for a graph.
func noRoom(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Call == instantiating && e.Is(ErrOutOfMemory)
}

func (d *device) instantiate(captured C.CUgraph) (graph, error) {
	if err := d.begin(instantiating, 0); err != nil {
		return graph{}, err
	}
	var g graph
	if err := d.endCode(int(C.cuGraphInstantiateWithFlags(&g.exec, captured, 0))); err != nil {
		return graph{}, err
	}
	d.book(func(l *ledger) { l.Graphs++ })
	return g, nil
}

func (d *device) destroyCaptured(captured C.CUgraph) error {
	if err := d.begin("cuGraphDestroy", 0); err != nil {
		return err
	}
	return d.endCode(int(C.cuGraphDestroy(captured)))
}

// launchGraph queues the whole graph on s.
func (d *device) launchGraph(g graph, s cu.Stream) error {
	if err := d.begin("cuGraphLaunch", 0); err != nil {
		return err
	}
	return d.endCode(int(C.cuGraphLaunch(g.exec, rawStream(s))))
}

func (d *device) destroyGraph(g graph) error {
	if err := d.begin("cuGraphExecDestroy", 0); err != nil {
		return err
	}
	if err := d.endCode(int(C.cuGraphExecDestroy(g.exec))); err != nil {
		return err
	}
	d.book(func(l *ledger) { l.Graphs-- })
	return nil
}
