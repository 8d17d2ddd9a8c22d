package daemon

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// This file owns what a setting may be: flags, environment and file are all checked by the value itself,
// so that no verb can forget to.

// number is a setting between two bounds.
type number struct {
	value     *int
	low, high int
}

func (n number) String() string { return strconv.Itoa(*n.value) }

// Type is what --help calls the value.
func (n number) Type() string { return "int" }

// Set implements pflag.Value.
func (n number) Set(text string) error {
	v, err := strconv.Atoi(text)
	if err != nil || v < n.low || v > n.high {
		return fmt.Errorf("use a number between %d and %d", n.low, n.high)
	}
	*n.value = v
	return nil
}

// choice is a setting that is one of a few words.
type choice struct {
	value *string
	words []string
}

func (c choice) String() string { return *c.value }

// Type is what --help calls the value.
func (c choice) Type() string { return "string" }

// Set implements pflag.Value.
func (c choice) Set(text string) error {
	if !slices.Contains(c.words, text) {
		last := len(c.words) - 1
		return fmt.Errorf("use %s or %s", strings.Join(c.words[:last], ", "), c.words[last])
	}
	*c.value = text
	return nil
}

// decision is a setting that is yes, no, or left to the daemon: auto.
type decision struct{ value **bool }

func (d decision) String() string {
	if d.value == nil || *d.value == nil {
		return "auto"
	}
	return strconv.FormatBool(**d.value)
}

// Type is what --help calls the value.
func (d decision) Type() string { return "bool" }

// Set implements pflag.Value.
func (d decision) Set(text string) error {
	if text == "auto" {
		*d.value = nil
		return nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return fmt.Errorf("use true, false or auto")
	}
	*d.value = &v
	return nil
}
