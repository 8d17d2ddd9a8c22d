//go:build !cgo

// Package cgo is the CPU backend. This build was made without a C compiler and has none: all else can
// still be vetted, and the binary says what is missing.
package cgo

import "chimera/engine"

// Options are what a Backend is opened with.
type Options struct {
	Threads int
	ISA     string
}

// Backend is never opened.
type Backend struct{}

var _ engine.Backend = (*Backend)(nil)

var errWithoutC = &engine.UnsupportedError{What: "every model", Reason: "this binary was built without cgo: build it with CGO_ENABLED=1 and gcc"}

// Open returns an error.
func Open(Options) (*Backend, error) { return nil, errWithoutC }

// Name returns "cpu".
func (*Backend) Name() string { return "cpu" }

// Available returns nothing: there is nothing to fit.
func (*Backend) Available() (bytes int64, bound string) { return 0, "" }

// Plan returns an error.
func (*Backend) Plan(*engine.Program, engine.Weights, engine.LoadOptions) (*engine.Plan, error) {
	return nil, errWithoutC
}

// Load returns an error.
func (*Backend) Load(*engine.Program, engine.Weights, engine.LoadOptions) (engine.Instance, error) {
	return nil, errWithoutC
}

// SetActive does nothing.
func (*Backend) SetActive(int) {}

// Close does nothing.
func (*Backend) Close() error { return nil }

// HasISA returns false.
func HasISA(string) bool { return false }

// QuantiseVersion is none.
const QuantiseVersion = 0

// Quantise returns an error.
func Quantise([]byte, engine.DType, []float32, int, []float32) error { return errWithoutC }
