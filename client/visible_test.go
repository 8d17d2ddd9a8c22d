package client

import (
	"errors"
	"strings"
	"testing"
)

// This file owns tests of what a terminal is given.

var shownAs = []struct{ text, want string }{
	{"plain, ünï ✓ 你好", "plain, ünï ✓ 你好"},
	{"two\nlines\tand a tab", "two\nlines\tand a tab"},
	{"\x1b[31mred\x1b[0m", "^[[31mred^[[0m"},
	{"\x1b]0;title\x07", "^[]0;title^G"},
	{"\x1b]8;;http://evil.example\x1b\\link", "^[]8;;http://evil.example^[\\link"},
	{"\x1b]52;c;cm0gLXJm\x07", "^[]52;c;cm0gLXJm^G"},
	{"\x1bP$q\x1b\\ \x1b_x\x1b\\", "^[P$q^[\\ ^[_x^[\\"},
	{"over\rwritten", "over^Mwritten"},
	{"windows\r\nlines\r\n", "windows\nlines\n"},
	{"\r\r\n", "^M\n"},
	{"\x00\x08\x0b\x0c\x0e\x1f", "^@^H^K^L^N^_"},
	{"\x7f", "^?"},
	{"\u0080\u0085\u009b31m\u009f", `\u0080\u0085\u009b31m\u009f`},
	{"\x9b31m\xff", `\x9b31m\xff`},
	{"cut \xe2\x82", `cut \xe2\x82`},
	{"\u202eevil\u202c\u2066x\u2069\u202a", `\u202eevil\u202c\u2066x\u2069\u202a`},
	{"a\u2028b\u2029", `a\u2028b\u2029`},
	{"שלום\u200f \u200eok 👩\u200d💻", "שלום\u200f \u200eok 👩\u200d💻"}, // marks and joiners
	{"\ufffd", "\ufffd"},
	{"", ""},
}

func TestVisible(t *testing.T) {
	for _, c := range shownAs {
		if got := Visible(c.text); got != c.want {
			t.Errorf("%q is shown as %q, want %q", c.text, got, c.want)
		}
		if got := Visible(Visible(c.text)); got != c.want {
			t.Errorf("%q is not shown as itself once it is shown: %q", c.want, got)
		}
	}
	if got := VisibleLine("a\nb\tc\x1b"); got != "a^Jb^Ic^[" {
		t.Errorf("%q", got)
	}
}

// However a stream is cut, the terminal is given the same.
func TestVisibleInPieces(t *testing.T) {
	for _, c := range shownAs {
		for size := 1; size <= 5; size++ {
			var out strings.Builder
			terminal := NewTerminal(&out)
			for at := 0; at < len(c.text); at += size {
				piece := c.text[at:min(at+size, len(c.text))]
				if n, err := terminal.Write([]byte(piece)); n != len(piece) || err != nil {
					t.Fatal(n, err)
				}
			}
			if err := terminal.Flush(); err != nil || out.String() != c.want {
				t.Errorf("%q in pieces of %d: %q %v", c.text, size, out.String(), err)
			}
		}
	}
}

func TestTerminalThatFails(t *testing.T) {
	full := errors.New("full")
	out := NewTerminal(failing{full})
	if _, err := out.Write([]byte("x")); !errors.Is(err, full) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
