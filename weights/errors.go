package weights

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
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
	return fmt.Sprintf("%s: %s%s: %s", e.File, printable(e.Field), at, e.Reason)
}

// printable makes a name out of a file fit for a terminal: no control characters, not endless.
func printable(name string) string {
	const most = 200
	if len(name) > most {
		name = name[:most] + "..."
	}
	quoted := strconv.Quote(name)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// Unwrap returns the kind.
func (e *FormatError) Unwrap() error { return e.Kind }

// ofTensor says which tensor an error came with, unless it says so itself.
func ofTensor(name string, err error) error {
	var format *FormatError
	if errors.As(err, &format) {
		return err
	}
	return fmt.Errorf("tensor %s: %w", printable(name), err)
}
