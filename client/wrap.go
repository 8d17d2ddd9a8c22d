package client

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// This file owns how long lines are broken for a terminal: at word borders, as the text comes.

// bytesPerColumn bounds a line that never becomes wide, such as a thousand accents on one letter.
const bytesPerColumn = 16

// tabShown is what a tab becomes: the terminal's own stops do not count in a line that is measured.
const tabShown = "    "

// wrapper makes lines of text that comes in pieces. It holds the last line, which may yet grow.
type wrapper struct{ line string }

// add returns the lines that are finished at this width.
func (w *wrapper) add(text string, width int) (lines []string) {
	w.line += strings.ReplaceAll(text, "\t", tabShown)
	for {
		end, next := lineEnd(w.line, max(width, 1))
		if next == 0 {
			return lines
		}
		lines = append(lines, strings.TrimRight(w.line[:end], " "))
		w.line = w.line[next:]
	}
}

// wrapped is whole text at this width.
func wrapped(text string, width int) string {
	var w wrapper
	return strings.Join(append(w.add(text, width), w.line), "\n")
}

// lineEnd is where the first line of text ends and where the next begins: 0 where it may go on. Borders are Unicode's, but
// that paths and commands stay whole: it would break behind a slash, and not between a space and a slash. Spaces at a
// border may stand beyond the width: they are not shown. A word that is wider than a line is cut.
func lineEnd(text string, width int) (end, next int) {
	column, border, state := 0, 0, -1
	for at := 0; at < len(text); {
		cluster, _, boundaries, newState := uniseg.StepString(text[at:], state)
		if cluster == "\n" {
			return at, at + 1
		}
		column += boundaries >> uniseg.ShiftWidth
		if column > width && cluster != " " && border > 0 {
			return border, border
		}
		if column > width && cluster != " " && at > 0 {
			return at, at
		}
		at, state = at+len(cluster), newState
		if cluster == " " || cluster != "/" && boundaries&uniseg.MaskLine == uniseg.LineCanBreak {
			border = at
		}
	}
	if limit := width * bytesPerColumn; len(text) > limit {
		for !utf8.RuneStart(text[limit]) {
			limit--
		}
		return limit, limit
	}
	return 0, 0
}
