package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"chimera/client"
)

// This file owns standard output and standard error. All verbs write to them through here, so that none can forget
// what a terminal must not be given, nor that a disk may be full.

// output is one of the two. Models, servers and files may have written what goes there: a terminal is shown its
// control characters; a file or a pipe gets the bytes as they are.
type output struct {
	raw      io.Writer
	terminal *client.Terminal // nil where raw is none
	failed   error
}

func newOutput(raw io.Writer) *output {
	o := &output{raw: raw}
	if isTerminal(raw) {
		o.terminal = client.NewTerminal(raw)
	}
	return o
}

// Write implements io.Writer. After a failure nothing is written, so that no part is missing in the middle.
func (o *output) Write(p []byte) (n int, err error) {
	switch {
	case o.failed != nil:
		return 0, o.failed
	case o.terminal != nil:
		n, o.failed = o.terminal.Write(p)
	default:
		n, o.failed = o.raw.Write(p)
	}
	return n, o.failed
}

// close writes what was held back, and says what has failed.
func (o *output) close(name string) error {
	if o.terminal != nil && o.failed == nil {
		o.failed = o.terminal.Flush()
	}
	if o.failed != nil {
		return fmt.Errorf("%s: %w", name, o.failed)
	}
	return nil
}

// logStream is standard error for a log, which goes on after a line that could not be written.
func logStream(stderr io.Writer) io.Writer {
	o, ok := stderr.(*output)
	switch {
	case !ok:
		return stderr
	case o.terminal != nil:
		return o.terminal
	}
	return o.raw
}

// rawStream is what to draw on: a bar's own escape sequences are meant.
func rawStream(stream any) any {
	if o, ok := stream.(*output); ok {
		return o.raw
	}
	return stream
}

func isTerminal(stream any) bool {
	f, ok := rawStream(stream).(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
