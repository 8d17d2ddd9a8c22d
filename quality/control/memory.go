package control

import "slices"

// This file owns the samples that wait to be scored.

// Kept is a sample as whoever keeps it knows it.
type Kept interface {
	// Bytes is what it takes of memory.
	Bytes() int
	// Erase overwrites what a user wrote and was answered.
	Erase()
}

// Memory holds samples in the order in which they came. What has no room costs the oldest theirs: these are the least likely to be of weights that still
// serve, and the newest say most of how serving is now. Its zero value holds nothing. It is for one goroutine at a time.
type Memory[S Kept] struct {
	// MostSamples and MostBytes are what it holds at most.
	MostSamples, MostBytes int

	waiting []S
	bytes   int
}

// Add keeps a sample, and returns those that are lost by that, which are erased; the sample itself where it alone is too large.
func (m *Memory[S]) Add(s S) (lost []S) {
	size := s.Bytes()
	if size > m.MostBytes || m.MostSamples < 1 {
		s.Erase()
		return []S{s}
	}
	for len(m.waiting) == m.MostSamples || m.bytes+size > m.MostBytes {
		oldest, _ := m.Take()
		oldest.Erase()
		lost = append(lost, oldest)
	}
	m.waiting = append(m.waiting, s)
	m.bytes += size
	return lost
}

// Take hands out the oldest sample, which the taker erases.
func (m *Memory[S]) Take() (s S, any bool) {
	if len(m.waiting) == 0 {
		return s, false
	}
	var none S
	s, m.waiting[0] = m.waiting[0], none
	m.waiting = m.waiting[1:]
	m.bytes -= s.Bytes()
	return s, true
}

// Drop erases and returns all samples that a condition names.
func (m *Memory[S]) Drop(of func(S) bool) (lost []S) {
	kept := m.waiting[:0]
	for _, s := range m.waiting {
		if !of(s) {
			kept = append(kept, s)
			continue
		}
		m.bytes -= s.Bytes()
		s.Erase()
		lost = append(lost, s)
	}
	clear(m.waiting[len(kept):])
	m.waiting = kept
	return lost
}

// Pull takes out the newest sample that a condition names, which is whole and the taker's.
func (m *Memory[S]) Pull(of func(S) bool) (s S, any bool) {
	for i := len(m.waiting) - 1; i >= 0; i-- {
		if s = m.waiting[i]; of(s) {
			m.waiting = slices.Delete(m.waiting, i, i+1)
			m.bytes -= s.Bytes()
			return s, true
		}
	}
	var none S
	return none, false
}

// Waiting is how many samples it holds, and what they take.
func (m *Memory[S]) Waiting() (samples, bytes int) { return len(m.waiting), m.bytes }

// Return puts back a sample that was taken, as the oldest, and tells whether there is room for it.
func (m *Memory[S]) Return(s S) bool {
	if len(m.waiting) >= m.MostSamples || m.bytes+s.Bytes() > m.MostBytes {
		return false
	}
	m.waiting = append([]S{s}, m.waiting...)
	m.bytes += s.Bytes()
	return true
}
