package client

import (
	"reflect"
	"strings"
	"testing"
)

// This file owns tests of how lines are broken.

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"short", 10, []string{"short"}},
		{"exactly 10", 10, []string{"exactly 10"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 8, []string{"one two", "three"}},
		{"one  two", 4, []string{"one", "two"}},
		{"one\n\ntwo three", 5, []string{"one", "", "two", "three"}},
		{"abcdefghij", 4, []string{"abcd", "efgh", "ij"}},
		{"a abcdefghij", 4, []string{"a", "abcd", "efgh", "ij"}},
		{"well-known words", 6, []string{"well-", "known", "words"}},
		{"see /etc/hosts or", 10, []string{"see", "/etc/hosts", "or"}},
		{"你好世界", 5, []string{"你好", "世界"}}, // two columns each, and a border between any two
		{"你好世界", 4, []string{"你好", "世界"}},
		{"ab你好", 3, []string{"ab", "你", "好"}},
		{"e\u0301e\u0301e\u0301", 2, []string{"e\u0301e\u0301", "e\u0301"}}, // an accent has no column
		{"👩\u200d💻👩\u200d💻", 3, []string{"👩\u200d💻", "👩\u200d💻"}},
		{"  indented text", 10, []string{"  indented", "text"}},
		{"\tx", 5, []string{"    x"}},
		{"a\u00a0b c", 3, []string{"a\u00a0b", "c"}}, // a space that does not break
		{"你", 1, []string{"你"}},
		{"ab", 0, []string{"a", "b"}},
		{"", 10, []string{""}},
		{"end\n", 10, []string{"end", ""}},
	} {
		if got := strings.Split(wrapped(c.text, c.width), "\n"); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q at %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

// A stream gives the lines of the whole text, however it is cut, and what is finished never changes.
func TestWrapInPieces(t *testing.T) {
	const text = "The quick brown fox, 你好世界 and a-hyphenated-word;  two spaces\n\n\tan indented line that is rather long\nend"
	for width := 1; width < 70; width += 3 {
		for size := 1; size < 9; size++ {
			var w wrapper
			var lines []string
			for runes := []rune(text); len(runes) > 0; runes = runes[min(size, len(runes)):] {
				lines = append(lines, w.add(string(runes[:min(size, len(runes))]), width)...)
			}
			if got := strings.Join(append(lines, w.line), "\n"); got != wrapped(text, width) {
				t.Fatalf("width %d in pieces of %d:\n%s\nwant\n%s", width, size, got, wrapped(text, width))
			}
		}
	}
}

// The width counts from the next line on.
func TestWrapResized(t *testing.T) {
	var w wrapper
	first := w.add("aaa bbb ccc ddd eee", 7)
	second := w.add(" fff ggg hhh", 14)
	if !reflect.DeepEqual(first, []string{"aaa bbb", "ccc ddd"}) || !reflect.DeepEqual(second, []string{"eee fff ggg"}) || w.line != "hhh" {
		t.Errorf("%q %q %q", first, second, w.line)
	}
}

// Text that never fills a line is not held without a bound: each piece reads what is held.
func TestWrapOfEndlessLines(t *testing.T) {
	for _, piece := range []string{"\u0301", " ", "\u200d", "x"} {
		var w wrapper
		for range 3000 {
			w.add(piece, 80)
			if len(w.line) > 80*bytesPerColumn+len(piece) {
				t.Fatalf("%q: a line of %d bytes is held", piece, len(w.line))
			}
		}
	}
}
