//go:build cuda

package cuda

import (
	"container/list"
	"fmt"
)

// This file owns captured graphs: one per generation and bucket, made when both are first met.

// maxGraphs bounds what graphs take of the device. A server meets a few dozen buckets; the least recently
// used one is made again when it comes back, which costs about as much as one step.
const maxGraphs = 64

// graphCache holds the graphs of one instance. The device's thread owns it.
type graphCache struct {
	in    *instance
	most  int
	byKey map[graphKey]*list.Element
	used  *list.List // of cachedGraph, most recently used first
}

type graphKey struct {
	generation *generation
	bucket     bucket
}

type cachedGraph struct {
	key   graphKey
	graph graph
}

func newGraphCache(in *instance) *graphCache {
	return &graphCache{in: in, most: maxGraphs, byKey: map[graphKey]*list.Element{}, used: list.New()}
}

// of returns a bucket's graph of a generation. Where the device has no room for one the others go: they are made again when they are met.
func (c *graphCache) of(k graphKey) (graph, error) {
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
		return graph{}, fmt.Errorf("graph of %d rows, %d outputs: %w", k.bucket.rows, k.bucket.outputs, err)
	}
	c.byKey[k] = c.used.PushFront(cachedGraph{k, g})
	return g, nil
}

func (c *graphCache) capture(k graphKey) (graph, error) {
	return c.in.device.capture(*c.in.stream, func() error { return c.in.launchAll(k.generation, k.bucket) })
}

// evict gives the graph back that was used least recently. No step that uses it may be under way.
func (c *graphCache) evict() error { return c.remove(c.used.Back()) }

func (c *graphCache) remove(e *list.Element) error {
	g := c.used.Remove(e).(cachedGraph)
	delete(c.byKey, g.key)
	return c.in.device.destroyGraph(g.graph)
}

// evictOf evicts a generation's.
func (c *graphCache) evictOf(g *generation) error {
	var err error
	for key, e := range c.byKey {
		if key.generation == g {
			err = oneCause(err, c.remove(e))
		}
	}
	return err
}

// clear evicts all.
func (c *graphCache) clear() error {
	var err error
	for c.used.Len() > 0 {
		err = oneCause(err, c.evict())
	}
	return err
}

// launchAll queues a generation's launches of a bucket, in order.
func (in *instance) launchAll(g *generation, k bucket) error {
	for i, l := range g.launches {
		size := l.size(k)
		if size.empty() {
			continue
		}
		if err := in.device.launch(in.functions[l.kernel], size, l.block, *in.stream, g.phaseAt(i)); err != nil {
			return fmt.Errorf("%s (%s): %w", l.name, l.kernel, err)
		}
	}
	return nil
}
