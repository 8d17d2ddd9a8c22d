package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/pflag"
)

// This file owns numeric flags: each has its bounds, which are held before a verb begins, so before anything is sent
// or loaded. Flags of settings have theirs in package daemon. A test refuses a numeric flag without bounds.

// number is a flag's value between two bounds.
type number[T int | int64 | uint64 | float64] struct {
	value     *T
	low, high T
}

// numberFlag binds a flag to *to, whose value is the default.
func numberFlag[T int | int64 | uint64 | float64](f *pflag.FlagSet, to *T, name string, low, high T, usage string) {
	f.Var(number[T]{to, low, high}, name, usage)
}

func (n number[T]) String() string { return fmt.Sprint(*n.value) }

// Type is what --help calls the value.
func (n number[T]) Type() string { return fmt.Sprintf("%T", *n.value) }

// Set implements pflag.Value. What is no number fails each comparison.
func (n number[T]) Set(text string) error {
	v, err := parse[T](text)
	if err != nil || !(v >= n.low && v <= n.high) {
		return fmt.Errorf("use a number between %v and %v", n.low, n.high)
	}
	*n.value = v
	return nil
}

func parse[T int | int64 | uint64 | float64](text string) (v T, err error) {
	switch to := any(&v).(type) {
	case *int:
		*to, err = strconv.Atoi(text)
	case *int64:
		*to, err = strconv.ParseInt(text, 10, 64)
	case *uint64:
		*to, err = strconv.ParseUint(text, 10, 64)
	case *float64:
		*to, err = strconv.ParseFloat(text, 64)
	}
	return v, err
}

// seed is a flag that is a whole number of 64 bits, with a sign or without, as servers take it: its digits, empty for none.
type seed string

func (s *seed) String() string { return string(*s) }

// Type is what --help calls the value.
func (s *seed) Type() string { return "int" }

// Set implements pflag.Value.
func (s *seed) Set(text string) error {
	if signed, err := strconv.ParseInt(text, 10, 64); err == nil {
		*s = seed(strconv.FormatInt(signed, 10))
	} else if unsigned, err := strconv.ParseUint(text, 10, 64); err == nil {
		*s = seed(strconv.FormatUint(unsigned, 10))
	} else {
		return fmt.Errorf("use a number between %d and %d", math.MinInt64, uint64(math.MaxUint64))
	}
	return nil
}
