package api

import "strings"

// This file owns stop strings: found across token boundaries, and never a byte of one let out.

// stopMatcher passes text on as it comes and holds back what may be the beginning of a stop string. Tokens that the text does
// not show stand in what is held by their names: a stop string may hold the whole of one, and else reads on behind it as the
// client does.
type stopMatcher struct {
	stops   []string
	include bool // what ended the text is let out too
	held    string
	hidden  []stretch // of held, ascending
}

// stretch is what lies from a byte to the one before another.
type stretch struct{ from, to int }

// push adds text and returns what may be let out. matched: a stop string ended the text; nothing may
// follow. The stop string that begins first wins, however the text was cut into pieces: one that is
// complete waits while another that began earlier may still become complete.
func (m *stopMatcher) push(text string) (out string, matched bool) {
	if len(m.stops) == 0 {
		return text, false
	}
	m.held += text
	for i := range m.places {
		switch end, begun := m.at(i); {
		case end >= 0:
			return m.cut(i, end), true
		case begun:
			return m.letOut(i), false
		}
	}
	return m.letOut(len(m.held)), false
}

// pass adds text that ends nothing. What may be the beginning of a stop string is held back all the same: what comes after
// may complete it.
func (m *stopMatcher) pass(text string) (out string) {
	m.held += text
	for i := range m.places {
		if _, begun := m.at(i); begun {
			return m.letOut(i)
		}
	}
	return m.letOut(len(m.held))
}

// flush returns what is still held when the answer has ended, up to a stop string that was waiting.
func (m *stopMatcher) flush() (out string, matched bool) {
	for i := range m.places {
		if end, _ := m.at(i); end >= 0 {
			return m.cut(i, end), true
		}
	}
	return m.letOut(len(m.held)), false
}

// hide adds a token that the text does not show. The next push tells what it has ended.
func (m *stopMatcher) hide(name string) {
	if len(m.stops) > 0 && name != "" {
		m.hidden = append(m.hidden, stretch{len(m.held), len(m.held) + len(name)})
		m.held += name
	}
}

// places yields where a stop string may begin: in the name of a hidden token, at its first byte alone.
func (m *stopMatcher) places(yield func(int) bool) {
	hidden := m.hidden
	for i := 0; i < len(m.held); i++ {
		if len(hidden) > 0 && i == hidden[0].from+1 {
			i, hidden = hidden[0].to, hidden[1:]
			if i == len(m.held) {
				return
			}
		}
		if !yield(i) {
			return
		}
	}
}

// at tells of the stop strings that begin at a place where the shortest that is complete ends, or -1, and whether one may
// become complete.
func (m *stopMatcher) at(place int) (end int, begun bool) {
	end = -1
	for _, stop := range m.stops {
		switch to, rest := m.read(place, stop); {
		case rest == "" && (end < 0 || to < end):
			end = to
		case rest != "" && to == len(m.held):
			begun = true
		}
	}
	return end, begun
}

// read follows a stop string from a place on, and returns how far it came and what was left of the string.
func (m *stopMatcher) read(place int, stop string) (to int, rest string) {
	to, rest = place, stop
	for i := range len(m.hidden) + 1 {
		h := stretch{len(m.held), len(m.held)}
		if i < len(m.hidden) {
			h = m.hidden[i]
		}
		if h.from < to {
			continue
		}
		shown := m.held[to:h.from]
		n := min(len(shown), len(rest))
		if shown[:n] != rest[:n] {
			return to, rest
		}
		to, rest = to+n, rest[n:]
		if rest == "" {
			return to, ""
		}
		after, whole := strings.CutPrefix(rest, m.held[h.from:h.to])
		switch {
		case whole:
			rest = after
		case h.from == place: // what is hidden begins nothing that it is no part of
			return to, rest
		}
		if to = h.to; rest == "" {
			return to, ""
		}
	}
	return to, rest
}

// cut ends the text with the stop string from first to end.
func (m *stopMatcher) cut(first, end int) (out string) {
	if m.include {
		first = end
	}
	out = m.shown(first)
	m.held, m.hidden = "", nil
	return out
}

// letOut takes what is held up to a place.
func (m *stopMatcher) letOut(end int) (out string) {
	out = m.shown(end)
	m.held = m.held[end:]
	left := m.hidden[:0]
	for _, h := range m.hidden {
		if h.from >= end {
			left = append(left, stretch{h.from - end, h.to - end})
		}
	}
	m.hidden = left
	return out
}

// shown is what is held up to a place, without what is hidden.
func (m *stopMatcher) shown(end int) string {
	var out strings.Builder
	from := 0
	for _, h := range m.hidden {
		if h.from >= end {
			break
		}
		out.WriteString(m.held[from:h.from])
		from = h.to
	}
	out.WriteString(m.held[from:end])
	return out.String()
}
