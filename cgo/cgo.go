// Package cgo is the CPU backend: it lowers a Program to phases of C kernels and runs a step by one
// call into C.
package cgo

// #cgo CFLAGS: -std=c11 -D_GNU_SOURCE -O3 -Wall -Wextra -Wno-unused-parameter
// #cgo LDFLAGS: -lm -lpthread
import "C"
