package weights

import (
	"errors"
	"fmt"
)

// This file owns the errors of the package.

// ErrMalformed is wrapped by errors about a file that breaks its format.
var ErrMalformed = errors.New("malformed model file")

// ErrUnsupported is wrapped by errors about a sound file that holds what this build cannot use.
var ErrUnsupported = errors.New("unsupported model file")

// FormatError says what is wrong where in a file.
type FormatError struct {
	File   string
	Offset uint64 // byte offset, 0 if it has none
	Field  string // "tensor_count", "key general.alignment", "tensor blk.0.attn_q.weight"
	Reason string
	Kind   error // ErrMalformed or ErrUnsupported
}

func (e *FormatError) Error() string {
	at := ""
	if e.Offset > 0 {
		at = fmt.Sprintf(" at byte %d", e.Offset)
	}
	return fmt.Sprintf("%s: %s%s: %s", e.File, e.Field, at, e.Reason)
}

// Unwrap returns the kind.
func (e *FormatError) Unwrap() error { return e.Kind }
