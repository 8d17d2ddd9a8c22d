package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// This file owns sizes as settings and flags write them.

// Size is a number of bytes, written as it is or with a binary unit: 4096, 64MiB, 2GiB.
type Size int64

var sizeUnits = []struct {
	name  string
	shift int
}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}}

// String writes the largest unit that leaves a whole number.
func (s *Size) String() string {
	for _, u := range sizeUnits {
		if n := int64(*s) >> u.shift; n > 0 && n<<u.shift == int64(*s) {
			return strconv.FormatInt(n, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type is what --help calls the value.
func (s *Size) Type() string { return "size" }

// Set implements pflag.Value.
func (s *Size) Set(text string) error {
	shift := 0
	for _, u := range sizeUnits {
		if number, ok := strings.CutSuffix(text, u.name); ok {
			text, shift = number, u.shift
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return errors.New("use a number of bytes, or one with KiB, MiB or GiB")
	}
	*s = Size(n << shift)
	return nil
}

// UnmarshalText reads a text of the file.
func (s *Size) UnmarshalText(text []byte) error { return s.Set(string(text)) }
