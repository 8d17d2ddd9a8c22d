package engine

import (
	"errors"
	"fmt"
)

// This file owns the errors that cross the seam. Their domains: *BatchError, *TooLongError and *NotFiniteError end
// a request, *UnsupportedError a load, ErrPoisoned the instance, ErrDevicePoisoned all of the device.

// ErrPoisoned is wrapped by errors after which an instance cannot go on.
var ErrPoisoned = errors.New("the instance is poisoned")

// ErrDevicePoisoned is wrapped by errors after which no instance of the device can go on. It wraps ErrPoisoned.
var ErrDevicePoisoned error = devicePoisoned{}

type devicePoisoned struct{}

func (devicePoisoned) Error() string { return "the device is poisoned" }

func (devicePoisoned) Unwrap() error { return ErrPoisoned }

// ErrModelFile is wrapped by errors that a model's file is to blame for: missing, malformed or not
// supported. The command line exits with 3.
var ErrModelFile = errors.New("model file")

// ErrAborted is what Wait returns for a background step that gave way: it is to be planned again.
var ErrAborted = errors.New("the background step gave way")

// NoRoomError refuses to load what doesn't fit beside what is served and what is being loaded.
type NoRoomError struct {
	Need, Available int64  // bytes
	Bound           string // what sets the limit
}

func (e *NoRoomError) Error() string {
	return fmt.Sprintf("the weights need %d MiB, %s leaves %d MiB: retry when a load under way has ended or the generation before is no longer used", e.Need>>20, e.Bound, e.Available>>20)
}

// UnsupportedError tells what a model needs and a backend or the program lacks.
type UnsupportedError struct {
	What   string // "architecture \"mamba\"", "op MoE"
	Reason string
}

func (e *UnsupportedError) Error() string { return e.What + " is not supported: " + e.Reason }

// Unwrap makes the error satisfy errors.Is(err, ErrModelFile).
func (e *UnsupportedError) Unwrap() error { return ErrModelFile }

// BatchError tells which rule a batch breaks.
type BatchError struct{ Field, Reason string }

func (e *BatchError) Error() string { return "batch " + e.Field + ": " + e.Reason }

// TooLongError refuses a request that could never fit.
type TooLongError struct {
	Tokens, MaxTokens int // prompt and answer; the context or what the pages hold
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("prompt and answer need %d tokens, the context holds %d", e.Tokens, e.MaxTokens)
}

// NotFiniteError ends a request whose logits, or states, are no numbers: weights, or what was computed of them, leave the range of a type.
type NotFiniteError struct {
	Position int  // of the token whose they are
	States   bool // it is states that were asked for, and no logits
}

func (e *NotFiniteError) Error() string {
	what := "head gave logits"
	if e.States {
		what = "layers gave states"
	}
	return fmt.Sprintf("the model's %s that are NaN or infinite at position %d: its weights, or their products, do not fit the types that are computed with; try --kv-type f32, or another file of the model", what, e.Position)
}
