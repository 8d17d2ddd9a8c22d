package weights

import (
	"fmt"
	"math"
)

// This file owns metadata: ordered keys with typed values, each checked once, when it is read out.

// ValueType is the type of a metadata value; its values are the format's ids.
type ValueType uint32

// The metadata types.
const (
	Uint8 ValueType = iota
	Int8
	Uint16
	Int16
	Uint32
	Int32
	Float32
	Bool
	Text
	Array
	Uint64
	Int64
	Float64
)

var valueTypeNames = [...]string{
	"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array", "uint64", "int64", "float64",
}

// String returns the type's name.
func (t ValueType) String() string {
	if int(t) < len(valueTypeNames) {
		return valueTypeNames[t]
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Value is one metadata value. Any holds uint64, int64, float64, bool, string, or for arrays
// []uint64, []int64, []float64, []bool or []string.
type Value struct {
	Type    ValueType
	Element ValueType // of an array
	Any     any
}

// Metadata is the ordered key-value part of a file. The zero value is empty.
type Metadata struct {
	file   string
	keys   []string
	values map[string]Value
}

// Keys lists the keys in file order.
func (m *Metadata) Keys() []string { return m.keys }

// Get returns a key's value.
func (m *Metadata) Get(key string) (Value, bool) {
	v, ok := m.values[key]
	return v, ok
}

// Set adds or replaces a key.
func (m *Metadata) Set(key string, v Value) {
	if _, ok := m.values[key]; !ok {
		m.keys = append(m.keys, key)
	}
	if m.values == nil {
		m.values = map[string]Value{}
	}
	m.values[key] = v
}

// clone returns a copy that can be changed without touching m.
func (m *Metadata) clone() *Metadata {
	c := &Metadata{file: m.file, values: map[string]Value{}}
	for _, k := range m.keys {
		c.Set(k, m.values[k])
	}
	return c
}

func (m *Metadata) mismatch(key, want string, v Value) error {
	have := v.Type.String()
	if v.Type == Array {
		have = "array of " + v.Element.String()
	}
	return &FormatError{File: m.file, Field: "key " + key, Reason: fmt.Sprintf("want %s, the file has %s", want, have), Kind: ErrMalformed}
}

// read gives key's value as T. A missing key is no error.
func read[T any](m *Metadata, key, want string) (value T, ok bool, err error) {
	v, found := m.values[key]
	if !found {
		return value, false, nil
	}
	value, ok = v.Any.(T)
	if !ok {
		return value, false, m.mismatch(key, want, v)
	}
	return value, true, nil
}

// String returns a string. A missing key gives false, another type an error that names the key.
func (m *Metadata) String(key string) (string, bool, error) { return read[string](m, key, "a string") }

// Bool returns a bool.
func (m *Metadata) Bool(key string) (bool, bool, error) { return read[bool](m, key, "a bool") }

// Strings returns an array of strings.
func (m *Metadata) Strings(key string) ([]string, bool, error) {
	return read[[]string](m, key, "an array of strings")
}

// Bools returns an array of bools.
func (m *Metadata) Bools(key string) ([]bool, bool, error) {
	return read[[]bool](m, key, "an array of bools")
}

// Floats returns an array of floats.
func (m *Metadata) Floats(key string) ([]float64, bool, error) {
	return read[[]float64](m, key, "an array of floats")
}

// Uint returns any integer that is not negative.
func (m *Metadata) Uint(key string) (uint64, bool, error) {
	v, ok := m.values[key]
	if !ok {
		return 0, false, nil
	}
	switch n := v.Any.(type) {
	case uint64:
		return n, true, nil
	case int64:
		if n >= 0 {
			return uint64(n), true, nil
		}
	}
	return 0, false, m.mismatch(key, "an unsigned integer", v)
}

// Float returns a number.
func (m *Metadata) Float(key string) (float64, bool, error) {
	v, ok := m.values[key]
	if !ok {
		return 0, false, nil
	}
	switch n := v.Any.(type) {
	case float64:
		return n, true, nil
	case uint64:
		return float64(n), true, nil
	case int64:
		return float64(n), true, nil
	}
	return 0, false, m.mismatch(key, "a number", v)
}

// Ints returns an array of integers that fit int32.
func (m *Metadata) Ints(key string) ([]int32, bool, error) {
	v, ok := m.values[key]
	if !ok {
		return nil, false, nil
	}
	var out []int32
	switch list := v.Any.(type) {
	case []int64:
		for _, n := range list {
			if n < math.MinInt32 || n > math.MaxInt32 {
				return nil, false, m.mismatch(key, "integers of 32 bits", v)
			}
			out = append(out, int32(n))
		}
		return out, true, nil
	case []uint64:
		for _, n := range list {
			if n > math.MaxInt32 {
				return nil, false, m.mismatch(key, "integers of 32 bits", v)
			}
			out = append(out, int32(n))
		}
		return out, true, nil
	}
	return nil, false, m.mismatch(key, "an array of integers", v)
}
