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
	most  int
	byKey map[bucket]*list.Element
	used  *list.List // of cachedGraph, most recently used first
}

type cachedGraph struct {
	key   bucket
	graph graph
}

func newGraphCache(in *instance) *graphCache {
	return &graphCache{in: in, most: maxGraphs, byKey: map[bucket]*list.Element{}, used: list.New()}
}

// of returns the graph of a bucket. Where the device has no room for one the others go: they are made again when they are met.
func (c *graphCache) of(k bucket) (graph, error) {
	if e, ok := c.byKey[k]; ok {
		c.used.MoveToFront(e)
		return e.Value.(cachedGraph).graph, nil
	}
	if c.used.Len() == c.most {
		if err := oneCause(c.in.device.synchronize(*c.in.stream), c.evict()); err != nil {
			return graph{}, err
		}
	}
	g, err := c.capture(k)
	if noRoom(err) && c.used.Len() > 0 {
		if err = oneCause(c.in.device.synchronize(*c.in.stream), c.clear()); err == nil {
			g, err = c.capture(k)
		}
	}
	if err != nil {
		return graph{}, fmt.Errorf("graph of %d rows, %d outputs: %w", k.rows, k.outputs, err)
	}
	c.byKey[k] = c.used.PushFront(cachedGraph{k, g})
	return g, nil
}

func (c *graphCache) capture(k bucket) (graph, error) {
	return c.in.device.capture(*c.in.stream, func() error { return c.in.launchAll(k) })
}

// evict gives the graph back that was used least recently. No step that uses it may be under way.
func (c *graphCache) evict() error {
	g := c.used.Remove(c.used.Back()).(cachedGraph)
	delete(c.byKey, g.key)
	return c.in.device.destroyGraph(g.graph)
}

// clear evicts all.
func (c *graphCache) clear() error {
	var err error
	for c.used.Len() > 0 {
		err = oneCause(err, c.evict())
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
