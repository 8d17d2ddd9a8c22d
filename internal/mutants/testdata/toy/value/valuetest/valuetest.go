// Package valuetest includes a header from beside its own folder.
package valuetest

// #include "../value.h"
import "C"

func answer() int { return int(C.answer()) }
