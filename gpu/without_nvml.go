//go:build !cuda

package gpu

import "errors"

// ErrNoSupport is what Open answers in this build.
var ErrNoSupport = errors.New("this build has no GPU support: build it with make cuda")

// Open opens the driver's management library.
func Open(*Call) (Reader, error) { return nil, ErrNoSupport }
