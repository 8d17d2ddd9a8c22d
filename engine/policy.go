package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// This file owns Policy: what rounds how, and its digest.

// ReductionVersion counts the changes to the order in which sums are formed. Two instances with
// different versions may differ in the last bits.
const ReductionVersion = 2

// ActivationType says how the input of a product with quantised weights is rounded.
type ActivationType uint8

// The activation types.
const (
	// ActivationInt8 rounds blocks of 32 to int8 with a float32 scale amax/127, half to even. Weights
	// in F32, F16 and BF16 see float32 activations all the same.
	ActivationInt8 ActivationType = iota
)

// Policy is the numeric policy. Same prompt, seed and policy: the same bytes.
type Policy struct {
	KV         DType // F32, F16 or Q8_0
	Activation ActivationType
}

// NumericsID names model, backend, policy and reduction version: equal ids mean comparable bytes. It
// stands on every answer (as system_fingerprint), cache key and measurement.
func (p Policy) NumericsID(model, backend string) string {
	text := fmt.Sprintf("%s|%s|kv=%s|act=%d|red=%d", model, backend, p.KV, p.Activation, ReductionVersion)
	sum := sha256.Sum256([]byte(text))
	return "fp_" + hex.EncodeToString(sum[:6])
}
