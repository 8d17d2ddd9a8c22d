package engine

import "fmt"

// This file owns DType: the storage types of weights and KV pages that a backend may meet.

// DType is a storage type. Values equal the GGUF tensor type ids.
type DType uint32

// The types that a Program's weights may have.
const (
	F32    DType = 0
	F16    DType = 1
	Q4_0   DType = 2
	Q4_1   DType = 3
	Q5_0   DType = 6
	Q5_1   DType = 7
	Q8_0   DType = 8
	Q2_K   DType = 10
	Q3_K   DType = 11
	Q4_K   DType = 12
	Q5_K   DType = 13
	Q6_K   DType = 14
	IQ4_NL DType = 20
	IQ4_XS DType = 23
	BF16   DType = 30
	MXFP4  DType = 39
)

var dtypeNames = map[DType]string{
	F32: "f32", F16: "f16", BF16: "bf16", Q4_0: "q4_0", Q4_1: "q4_1", Q5_0: "q5_0", Q5_1: "q5_1",
	Q8_0: "q8_0", Q2_K: "q2_k", Q3_K: "q3_k", Q4_K: "q4_k", Q5_K: "q5_k", Q6_K: "q6_k",
	IQ4_NL: "iq4_nl", IQ4_XS: "iq4_xs", MXFP4: "mxfp4",
}

// Known tells whether t is one of the types above.
func (t DType) Known() bool {
	_, ok := dtypeNames[t]
	return ok
}

// String returns the type's lower-case name.
func (t DType) String() string {
	if s, ok := dtypeNames[t]; ok {
		return s
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// kvTypes are the types that KV pages may have.
var kvTypes = []DType{F32, F16, Q8_0}

// ParseKVType reads the name of a KV type: f32, f16 or q8_0.
func ParseKVType(s string) (DType, error) {
	for _, t := range kvTypes {
		if t.String() == s {
			return t, nil
		}
	}
	return 0, fmt.Errorf("KV type %q is unknown: use f32, f16 or q8_0", s)
}
