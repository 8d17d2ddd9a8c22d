package api

import "strings"

// This file owns stop strings: found across token boundaries, and never a byte of one let out.

// stopMatcher passes text on as it comes and holds back what may be the beginning of a stop string.
type stopMatcher struct {
	stops   []string
	include bool // what ended the text is let out too
	held    string
}

// push adds text and returns what may be let out. matched: a stop string ended the text; nothing may
// follow. The stop string that begins first wins, however the text was cut into pieces: one that is
// complete waits while another that began earlier may still become complete.
func (m *stopMatcher) push(text string) (out string, matched bool) {
	if len(m.stops) == 0 {
		return text, false
	}
	m.held += text
	first, end := m.earliest()
	partial := m.partial()
	if first >= 0 && first <= partial {
		return m.cut(first, end), true
	}
	out, m.held = m.held[:partial], m.held[partial:]
	return out, false
}

// pass adds text that ends nothing. What may be the beginning of a stop string is held back all the same: what comes after
// may complete it.
func (m *stopMatcher) pass(text string) (out string) {
	m.held += text
	partial := m.partial()
	out, m.held = m.held[:partial], m.held[partial:]
	return out
}

// partial is where what may be the beginning of a stop string begins.
func (m *stopMatcher) partial() int {
	partial := len(m.held)
	for _, stop := range m.stops {
		partial = min(partial, len(m.held)-overlap(m.held, stop))
	}
	return partial
}

// earliest is where the first complete stop string begins and ends; of those that begin there, the shortest. first is -1
// where there is none.
func (m *stopMatcher) earliest() (first, end int) {
	first = -1
	for _, stop := range m.stops {
		at := strings.Index(m.held, stop)
		if at >= 0 && (first < 0 || at < first || at == first && at+len(stop) < end) {
			first, end = at, at+len(stop)
		}
	}
	return first, end
}

// cut ends the text with the stop string from first to end.
func (m *stopMatcher) cut(first, end int) (out string) {
	if m.include {
		first = end
	}
	out, m.held = m.held[:first], ""
	return out
}

// flush returns what is still held when the answer has ended, up to a stop string that was waiting.
func (m *stopMatcher) flush() (out string, matched bool) {
	if first, end := m.earliest(); first >= 0 {
		return m.cut(first, end), true
	}
	out, m.held = m.held, ""
	return out, false
}

// overlap is the longest end of text that begins stop.
func overlap(text, stop string) int {
	for n := min(len(text), len(stop)-1); n > 0; n-- {
		if strings.HasSuffix(text, stop[:n]) {
			return n
		}
	}
	return 0
}
