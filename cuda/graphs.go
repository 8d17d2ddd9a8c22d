//go:build cuda

package cuda

import (
	"container/list"
	"fmt"
)

// This file owns captured graphs: one per bucket, made when the bucket is first met.

// maxGraphs bounds what graphs take of the device. A server meets a few dozen buckets; the least recently
// used one is made again when it comes back, which costs about as much as one step.
const maxGraphs = 64

// graphCache holds the graphs of one instance. The device's thread owns it.
type graphCache struct {
	in    *instance
	byKey map[bucket]*list.Element
	used  *list.List // of cachedGraph, most recently used first
}

type cachedGraph struct {
	key   bucket
	graph graph
}

func newGraphCache(in *instance) *graphCache {
	return &graphCache{in: in, byKey: map[bucket]*list.Element{}, used: list.New()}
}

// of returns the graph of a bucket.
func (c *graphCache) of(k bucket) (graph, error) {
	if e, ok := c.byKey[k]; ok {
		c.used.MoveToFront(e)
		return e.Value.(cachedGraph).graph, nil
	}
	if c.used.Len() == maxGraphs {
		if err := c.evict(c.used.Back()); err != nil {
			return graph{}, err
		}
	}
	g, err := c.in.device.capture(*c.in.stream, func() error { return c.in.launchAll(k) })
	if err != nil {
		return graph{}, fmt.Errorf("graph of %d rows, %d outputs: %w", k.rows, k.outputs, err)
	}
	c.byKey[k] = c.used.PushFront(cachedGraph{k, g})
	return g, nil
}

// evict gives a graph back; steps that use it are let finish first.
func (c *graphCache) evict(e *list.Element) error {
	g := c.used.Remove(e).(cachedGraph)
	delete(c.byKey, g.key)
	return oneCause(c.in.device.synchronize(*c.in.stream), c.in.device.destroyGraph(g.graph))
}

func (c *graphCache) clear() error {
	var err error
	for c.used.Len() > 0 {
		err = oneCause(err, c.evict(c.used.Back()))
	}
	return err
}

// launchAll queues the launches of a bucket, in order.
func (in *instance) launchAll(k bucket) error {
	for i, l := range in.launches {
		size := l.size(k)
		if size.empty() {
			continue
		}
		if err := in.device.launch(in.functions[l.kernel], size, l.block, *in.stream, in.phaseAt(i)); err != nil {
			return fmt.Errorf("%s (%s): %w", l.name, l.kernel, err)
		}
	}
	return nil
}
