package socket

import (
	"bytes"
	"strconv"
	"strings"
)

// This file owns following a connection's bytes from one head to the next, so that what no head may hold is refused as it
// arrives: fasthttp waits for the CR LF that ends a head, and who speaks TLS or ends lines with LF alone would hear of it when
// the time is up.
//
// A head whose length two parsers could read differently is followed as it may be: checkHead refuses it, and the connection ends.

// A headError is why a head is refused.
type headError string

func (e headError) Error() string { return string(e) }

// Unwrap makes it an ErrHead.
func (e headError) Unwrap() error { return ErrHead }

const (
	errBareLF  = headError("a line of the head ends in a bare LF, it must end in CR LF")
	errBareCR  = headError("a CR in the head that no LF follows")
	errControl = headError("a control character in the head: this is HTTP without TLS")
	errMethod  = headError("the first line does not begin with a method")
)

// framing knows where in a request the last byte stands.
type framing struct {
	part   part
	line   []byte // of a head or trailer, or a chunk's size, so far
	cr     bool   // the last byte was a CR
	lines  int    // of the head that were not empty
	method bool   // the first line's method is over
	left   int64  // bytes of the body or the chunk that are still to come
	chunks bool   // the body comes in chunks
	bad    error  // what came can be no head
}

type part int

const (
	inHead part = iota
	inBody
	inChunkSize
	inChunk
	behindChunk // its CR LF
	inTrailer
	lost // chunks that are none: fasthttp fails with them
)

// midway tells whether a request has begun and is not read to its end.
func (f *framing) midway() bool {
	return f.bad != nil || f.part != inHead || f.lines > 0 || len(f.line) > 0 || f.cr
}

// read follows what has arrived. It tells how much of that may be passed on: all but what can be no head.
func (f *framing) read(b []byte) int {
	for i := 0; i < len(b); {
		switch f.part {
		case inBody, inChunk:
			n := min(int64(len(b)-i), f.left)
			f.left -= n
			i += int(n)
			if f.left == 0 {
				f.endData()
			}
			continue
		case inHead, inTrailer:
			if f.bad = f.check(b[i]); f.bad != nil {
				return i
			}
		case lost:
			return len(b)
		}
		f.add(b[i])
		i++
	}
	return len(b)
}

// check refuses what no head or trailer may hold.
func (f *framing) check(c byte) error {
	switch {
	case c == '\n' && !f.cr:
		return errBareLF
	case c != '\n' && f.cr:
		return errBareCR
	case c < ' ' && c != '\t' && c != '\r' && c != '\n', c == 0x7f:
		return errControl
	case f.part == inHead && f.lines == 0 && !f.method && c != '\r' && c != '\n':
		if f.method = c == ' ' && len(f.line) > 0; !f.method && !isTokenByte(c) {
			return errMethod
		}
	}
	return nil
}

// add takes a byte of a line.
func (f *framing) add(c byte) {
	f.cr = c == '\r'
	switch {
	case c == '\n':
		f.endLine()
		f.line = f.line[:0]
	case !f.cr && len(f.line) < headBytes: // fasthttp takes no longer heads
		f.line = append(f.line, c)
	}
}

func (f *framing) endLine() {
	switch f.part {
	case inHead:
		f.endHeadLine()
	case inChunkSize:
		f.beginChunk()
	case behindChunk:
		f.part = inChunkSize
	case inTrailer:
		if len(f.line) == 0 {
			f.next()
		}
	}
}

// endHeadLine ends the head at an empty line, but for those before the request line.
func (f *framing) endHeadLine() {
	if len(f.line) > 0 {
		f.lines++
		f.noteLength()
		return
	}
	switch {
	case f.lines == 0:
	case f.chunks:
		f.part = inChunkSize
	case f.left > 0:
		f.part = inBody
	default:
		f.next()
	}
}

// noteLength looks for a line that says how long the body is.
func (f *framing) noteLength() {
	name, value, _ := bytes.Cut(f.line, []byte(":"))
	switch strings.ToLower(string(name)) {
	case "content-length":
		f.left, _ = strconv.ParseInt(strings.Trim(string(value), " \t"), 10, 64) // what is no length is refused
	case "transfer-encoding":
		f.chunks = true
	}
}

func (f *framing) beginChunk() {
	size, _, _ := strings.Cut(string(f.line), ";")
	n, err := strconv.ParseUint(strings.Trim(size, " \t"), 16, 63)
	switch {
	case err != nil:
		f.part = lost
	case n == 0:
		f.part = inTrailer
	default:
		f.part, f.left = inChunk, int64(n)
	}
}

// endData ends a body that has a length, or a chunk.
func (f *framing) endData() {
	if f.part == inChunk {
		f.part = behindChunk
	} else {
		f.next()
	}
}

// next begins another head.
func (f *framing) next() { *f = framing{line: f.line[:0]} }
