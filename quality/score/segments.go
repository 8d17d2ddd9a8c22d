package score

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// This file owns files of segments, one a line, and that they belong together.

const (
	maxSegment = 1 << 20   // bytes of a line: a long answer has a tenth of that
	maxFile    = 512 << 20 // bytes of a file as it is held, with a header for each line; WMT's test sets have one or two million
	lineHeader = 16
)

// File is a name and a content, a segment a line.
type File struct {
	Name string
	Text io.Reader
}

// Read reads a file's segments. An error names the file and the line.
func (f File) Read() (segments []string, err error) { return f.read(maxFile) }

func (f File) read(most int) (segments []string, err error) {
	scanner := bufio.NewScanner(f.Text)
	scanner.Buffer(nil, maxSegment)
	for size := 0; scanner.Scan(); {
		line := len(segments) + 1
		if !utf8.Valid(scanner.Bytes()) {
			return nil, fmt.Errorf("%s: line %d is not UTF-8", f.Name, line)
		}
		if size += len(scanner.Bytes()) + lineHeader; size > most {
			return nil, fmt.Errorf("%s: it takes more than %d bytes by line %d", f.Name, most, line)
		}
		segments = append(segments, scanner.Text())
	}
	switch err := scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%s: line %d has more than %d bytes", f.Name, len(segments)+1, maxSegment)
	case err != nil:
		return nil, fmt.Errorf("%s: line %d: %w", f.Name, len(segments)+1, err)
	case len(segments) == 0:
		return nil, fmt.Errorf("%s: it is empty", f.Name)
	}
	return segments, nil
}

// ReadCorpus reads hypotheses and their references, the first of each file for the first, and so on.
func ReadCorpus(hypotheses File, references []File) (lines []string, of [][]string, err error) {
	if lines, err = hypotheses.Read(); err != nil {
		return nil, nil, err
	}
	of = make([][]string, len(lines))
	for _, file := range references {
		more, err := file.Read()
		if err != nil {
			return nil, nil, err
		}
		if len(more) != len(lines) {
			return nil, nil, fmt.Errorf("%s has %d lines and %s has %d: they belong together line by line", hypotheses.Name, len(lines), file.Name, len(more))
		}
		for i, text := range more {
			of[i] = append(of[i], text)
		}
	}
	return lines, of, nil
}
