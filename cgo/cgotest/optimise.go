//go:build !unoptimised

package cgotest

// This file owns how hard the C is optimised. Flags of a package stand behind those of CGO_CFLAGS, so that none given
// there could take this one back: builds that shall be made fast, not run fast, are tagged unoptimised.

// #cgo CFLAGS: -O3
import "C"
