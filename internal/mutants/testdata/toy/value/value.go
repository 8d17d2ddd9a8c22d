// Package value is a toy that mutants are applied to: C in a header, and Go.
package value

// #include "value.h"
import "C"

// Answer is C's.
func Answer() int { return int(C.answer()) }

// Twice doubles n.
func Twice(n int) int { return 2 * n }

// Count counts down from n.
func Count(n int) (steps int) {
	for ; n > 0; n-- {
		steps++
	}
	return steps
}
