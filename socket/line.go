package socket

import "errors"

// This file owns noticing a bare LF in a head as it arrives. fasthttp waits for the CR LF that ends a head, so a client that
// ends its lines with LF alone would hear of it when its time is up. It is refused where fasthttp asks for more of the head, or
// takes it for whole.

var errBareLF = errors.New("a line of the head ends in a bare LF, it must end in CR LF")

// headScan follows the bytes of a connection from one head to the next. Where a client sends requests without waiting for
// answers, what fasthttp holds back of them is not known here: from then on nothing is looked for, and checkHead has the word.
type headScan struct {
	state  scanState
	last   byte // of the head
	line   int  // bytes of the line so far
	lines  int  // that were not empty
	behind int  // bytes behind the head: the body's, if there is no further request
	bad    bool // the head has a bare LF
}

type scanState int

const (
	inHead scanState = iota
	behindHead
	lost
)

// read looks at what has arrived.
func (s *headScan) read(b []byte) {
	for i, c := range b {
		switch s.state {
		case lost:
			return
		case behindHead:
			s.behind += len(b) - i
			return
		}
		if c == '\n' {
			if s.last != '\r' {
				s.bad = true
				return
			}
			s.endLine()
		} else if c != '\r' {
			s.line++
		}
		s.last = c
	}
}

// endLine ends the head at an empty line, but for those before the request line.
func (s *headScan) endLine() {
	switch {
	case s.line > 0:
		s.lines++
	case s.lines > 0:
		s.state = behindHead
	}
	s.line = 0
}

// request says that fasthttp has taken a head for whole, and how long a body it found announced: -1 stands for chunks, -2 for
// none.
func (s *headScan) request(body int) error {
	const chunks, none = -1, -2
	if body == none {
		body = 0
	}
	if s.state != behindHead || body == chunks {
		s.state = lost
	} else {
		s.behind -= body // what is still to come of the body makes it 0, a further request more
	}
	if s.bad {
		return errBareLF
	}
	return nil
}

// next begins another head, if nothing of it has come already.
func (s *headScan) next() {
	if s.state == behindHead && s.behind == 0 {
		*s = headScan{}
	} else {
		s.state = lost
	}
}
