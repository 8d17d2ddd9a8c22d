package score

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// This file owns the tests of files of segments.

func textFile(name, text string) File { return File{name, strings.NewReader(text)} }

func TestReadCorpus(t *testing.T) {
	lines, of, err := ReadCorpus(textFile("h", "a\n\nc\r\n"), []File{textFile("r", "x\ny\nz"), textFile("s", "1\n2\n3\n")})
	if err != nil || !reflect.DeepEqual(lines, []string{"a", "", "c"}) || !reflect.DeepEqual(of, [][]string{{"x", "1"}, {"y", "2"}, {"z", "3"}}) {
		t.Errorf("%q %q %v", lines, of, err)
	}
	if lines, err = textFile("h", strings.Repeat("x", maxSegment-1)).Read(); err != nil || len(lines) != 1 {
		t.Errorf("a line as long as may be: %v", err)
	}
}

func TestReadCorpusRefuses(t *testing.T) {
	for _, c := range []struct {
		hypotheses File
		reference  File
		want       string
	}{
		{textFile("h", "a\nb\n"), textFile("r", "x\n"), "h has 2 lines and r has 1: they belong together line by line"},
		{textFile("h", ""), textFile("r", "x"), "h: it is empty"},
		{textFile("h", "a\n"), textFile("r", ""), "r: it is empty"},
		{textFile("h", "a\nb\xffc\n"), textFile("r", "x\ny\n"), "h: line 2 is not UTF-8"},
		{textFile("h", "a\n"), textFile("r", "\xfe\xffx"), "r: line 1 is not UTF-8"},
		{textFile("h", "a\n"+strings.Repeat("x", maxSegment+1)), textFile("r", "x"), "h: line 2 has more than 1048576 bytes"},
		{File{"h", iotest.ErrReader(errors.New("gone"))}, textFile("r", "x"), "h: line 1: gone"},
	} {
		if _, _, err := ReadCorpus(c.hypotheses, []File{c.reference}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	const text = "ab\n\ncd\n" // 4 bytes, and a header for each line
	if lines, err := textFile("h", text).read(4 + 3*lineHeader); err != nil || len(lines) != 3 {
		t.Errorf("%q, %v", lines, err)
	}
	if _, err := textFile("h", text).read(3 + 3*lineHeader); err == nil || err.Error() != "h: it takes more than 51 bytes by line 3" {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("a\nb")
	f.Add("\xff\n\r\n\r")
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := textFile("given", text).Read()
		if err != nil {
			if !strings.HasPrefix(err.Error(), "given: ") {
				t.Fatal(err)
			}
			return
		}
		if !utf8.ValidString(text) || len(lines) != strings.Count(strings.TrimSuffix(text, "\n")+"\n", "\n") {
			t.Fatalf("%q: %q", text, lines)
		}
	})
}
