package client

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file owns what a terminal is given of text that others wrote: models, servers, the metadata of files.

// Visible returns text with what a terminal would obey replaced by what a person can read: ESC becomes ^[.
// Newline and tab stay.
func Visible(text string) string {
	var f visible
	return f.take(text) + f.rest()
}

// VisibleLine is Visible for a name within a line or a table, which newline and tab would break as well.
func VisibleLine(text string) string {
	return strings.NewReplacer("\n", "^J", "\t", "^I").Replace(Visible(text))
}

// Terminal writes text of others to a terminal, through Visible. What is written may be cut anywhere.
type Terminal struct {
	out    io.Writer
	filter visible
}

// NewTerminal is for an out that is a terminal: files and pipes are given bytes as they are.
func NewTerminal(out io.Writer) *Terminal { return &Terminal{out: out} }

// Write implements io.Writer.
func (t *Terminal) Write(p []byte) (int, error) {
	if _, err := io.WriteString(t.out, t.filter.take(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what was held back since more might have followed.
func (t *Terminal) Flush() error {
	_, err := io.WriteString(t.out, t.filter.rest())
	return err
}

// visible filters text that comes in pieces. No sequence is parsed: one without its first character, which
// is a control character always, is plain text. So the zero value holds no more than the start of a character.
type visible struct{ held string }

// take returns what can be shown of the text so far.
func (v *visible) take(text string) string {
	text = v.held + text
	keep := len(text) - unfinished(text)
	text, v.held = text[:keep], text[keep:]
	return show(text)
}

// rest returns what was held back, at the end.
func (v *visible) rest() string {
	text := show(v.held)
	v.held = ""
	return text
}

// unfinished is how many bytes at the end need the next piece: of a character that is cut, or a CR that an
// LF may follow.
func unfinished(text string) int {
	if strings.HasSuffix(text, "\r") {
		return 1
	}
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRuneInString(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

func show(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var b strings.Builder
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRuneInString(text[at:])
		switch {
		case r == utf8.RuneError && n == 1: // a terminal that is not in UTF-8 may take the byte for a C1 control
			fmt.Fprintf(&b, `\x%02x`, text[at])
		case r == '\n' || r == '\t' || !obeyed(r):
			b.WriteString(text[at : at+n])
		case r < ' ' || r == 0x7f:
			b.WriteString("^" + string(r^'@'))
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		at += n
	}
	return b.String()
}

// obeyed tells what does something to a terminal instead of being shown: C0, DEL, C1, line and paragraph separator,
// and the embeddings, overrides and isolates that reorder the text about them. The marks of direction that right-to-left text needs, and
// the joiners of emoji, only concern their neighbours and pass.
func obeyed(r rune) bool {
	return unicode.IsControl(r) || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
