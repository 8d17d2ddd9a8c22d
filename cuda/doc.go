//go:build cuda

// Package cuda is the GPU backend: the driver over gorgonia.org/cu and, beside it, the calls that cu
// lacks; devices, memory, graphs; and the kernels, embedded as one fatbin.
//
// It builds and starts on any machine: the driver's library is opened by Open, at run time, through a shim
// that has every symbol (shim.c). All calls to a device are made on one thread, which belongs to its
// device (device.go). What a call fails with is an *Error that says where and while doing what.
package cuda
