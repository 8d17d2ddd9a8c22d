package api

import "strings"

// This file owns stop strings: found across token boundaries, and never a byte of one let out.

// stopMatcher passes text on as it comes and holds back what may be the beginning of a stop string.
type stopMatcher struct {
	stops []string
	held  string
}

// push adds text and returns what may be let out. matched: a stop string ended the text; nothing may
// follow. The stop string that begins first wins, however the text was cut into pieces: one that is
// complete waits while another that began earlier may still become complete.
func (m *stopMatcher) push(text string) (out string, matched bool) {
	if len(m.stops) == 0 {
		return text, false
	}
	m.held += text
	first, partial := m.earliest(), len(m.held)
	for _, stop := range m.stops {
		partial = min(partial, len(m.held)-overlap(m.held, stop))
	}
	if first >= 0 && first <= partial {
		out, m.held = m.held[:first], ""
		return out, true
	}
	out, m.held = m.held[:partial], m.held[partial:]
	return out, false
}

// earliest is where the first complete stop string begins, or -1.
func (m *stopMatcher) earliest() int {
	first := -1
	for _, stop := range m.stops {
		if at := strings.Index(m.held, stop); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// flush returns what is still held when the answer has ended, up to a stop string that was waiting.
func (m *stopMatcher) flush() (out string, matched bool) {
	out, m.held = m.held, ""
	if at := (&stopMatcher{stops: m.stops, held: out}).earliest(); at >= 0 {
		return out[:at], true
	}
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
