package scheduler

import (
	"container/list"
	"math"
)

// This file owns what hotness is compared with in the replay: recency, foresight, W-TinyLFU. Each holds a part of an object from
// its beginning on, and all of the one that is asked for.

// shelf is a cache of objects' beginnings in which each object has a number: of the one with the least, the last page goes.
type shelf struct {
	trace
	room    int
	held    map[int]int // pages of each object
	value   map[int]float64
	machine recompute
}

func (t trace) shelf(pages int) *shelf {
	return &shelf{trace: t, room: pages, held: map[int]int{}, value: map[int]float64{}, machine: replayed()}
}

// missing is what the pages of an object behind those held take.
func (s *shelf) missing(pages, held int) (cost float64) {
	for p := held; p < pages; p++ {
		cost += s.machine.page(p)
	}
	return cost
}

// replay asks for all; number gives an object's number at its use.
func (s *shelf) replay(number func(i, o int) float64) (cost float64) {
	for i, o := range s.requests {
		if i >= s.warm {
			cost += s.missing(s.of(i), s.held[o])
		}
		s.room -= s.of(i) - s.held[o]
		delete(s.held, o) // it is in use: not to be evicted
		for s.room < 0 {
			s.evict()
		}
		s.held[o], s.value[o] = s.of(i), number(i, o)
	}
	return cost
}

// evict takes a page of the object with the least number. Objects are few, so that it looks at all.
func (s *shelf) evict() {
	least, victim := math.Inf(1), 0
	for o := range s.held {
		if v := s.value[o]; v < least || v == least && o < victim {
			least, victim = v, o
		}
	}
	n := min(-s.room, s.held[victim])
	s.room += n
	if s.held[victim] -= n; s.held[victim] == 0 {
		delete(s.held, victim)
	}
}

// recency evicts what was used longest ago.
func (t trace) recency(pages int) float64 {
	return t.shelf(pages).replay(func(i, _ int) float64 { return float64(i) })
}

// foresight evicts what will be used last, or never: Belady's choice.
func (t trace) foresight(pages int) float64 {
	next, last := make([]float64, len(t.requests)), map[int]int{}
	for i := len(t.requests) - 1; i >= 0; i-- {
		next[i] = math.Inf(1)
		if at, again := last[t.requests[i]]; again {
			next[i] = float64(at)
		}
		last[t.requests[i]] = i
	}
	return t.shelf(pages).replay(func(i, _ int) float64 { return -next[i] })
}

// tinyLFU is W-TinyLFU as its authors describe it: one part in a hundred for what is new, and behind that what was asked for
// more often than what it would replace, in a segmented queue of which four fifths are protected. Counts are exact to 15 and
// halved after ten times as many requests as there are entries. Entries are whole objects that weigh their pages.
type tinyLFU struct {
	trace
	window, probation, protected queue
	counts                       map[int]int
	counted                      int
	where                        map[int]*queue
	room, windowRoom             int
	protectedRoom                int
}

// queue is entries by recency, the last used in front.
type queue struct {
	*list.List
	at    map[int]*list.Element
	pages int
}

func newQueue() queue { return queue{list.New(), map[int]*list.Element{}, 0} }

func (t trace) tinyLFU(pages int) (cost float64) {
	c := &tinyLFU{trace: t, window: newQueue(), probation: newQueue(), protected: newQueue(), counts: map[int]int{}, where: map[int]*queue{}}
	c.windowRoom = max(1, pages/100)
	c.room = pages - c.windowRoom
	c.protectedRoom = c.room * 4 / 5
	s := t.shelf(pages)
	for i, o := range t.requests {
		if c.where[o] == nil && i >= t.warm {
			cost += s.missing(s.pages[o], 0)
		}
		c.ask(o)
	}
	return cost
}

func (c *tinyLFU) put(q *queue, o int) {
	q.at[o], c.where[o] = q.PushFront(o), q
	q.pages += c.pages[o]
}

func (c *tinyLFU) drop(o int) {
	q := c.where[o]
	q.Remove(q.at[o])
	delete(q.at, o)
	delete(c.where, o)
	q.pages -= c.pages[o]
}

func (c *tinyLFU) ask(o int) {
	c.count(o)
	switch q := c.where[o]; q {
	case nil:
		c.put(&c.window, o)
	case &c.window:
		q.MoveToFront(q.at[o])
	default:
		c.drop(o)
		c.put(&c.protected, o)
		for c.protected.pages > c.protectedRoom {
			demoted := c.protected.Back().Value.(int)
			c.drop(demoted)
			c.put(&c.probation, demoted)
		}
	}
	for c.window.pages > c.windowRoom {
		candidate := c.window.Back().Value.(int)
		c.drop(candidate)
		c.admit(candidate)
	}
}

func (c *tinyLFU) count(o int) {
	c.counts[o] = min(15, c.counts[o]+1)
	if c.counted++; c.counted >= 10*max(1, len(c.where)) {
		for k, n := range c.counts {
			if c.counts[k] = n / 2; n < 2 {
				delete(c.counts, k)
			}
		}
		c.counted /= 2
	}
}

// admit gives the candidate a place if it was asked for more often than each entry that goes for it.
func (c *tinyLFU) admit(candidate int) {
	for c.probation.pages+c.protected.pages+c.pages[candidate] > c.room {
		q := &c.probation
		if q.Len() == 0 {
			q = &c.protected
		}
		if q.Len() == 0 {
			return
		}
		victim := q.Back().Value.(int)
		if c.counts[candidate] <= c.counts[victim] {
			return
		}
		c.drop(victim)
	}
	c.put(&c.probation, candidate)
}
