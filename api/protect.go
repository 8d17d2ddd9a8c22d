package api

import (
	"fmt"
	"runtime/debug"
)

// This file owns the barrier between a request's panic and the process. Every goroutine that a request starts does its work
// behind it: the handler, the writer of a stream, the followers of sequences.

// panicError is a request's panic. It is answered as a failure of the server; the log has the stack.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// protect runs f and makes its panic an error.
func protect(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p, debug.Stack()}
		}
	}()
	return f()
}
