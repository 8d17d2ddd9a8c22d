package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file owns what a setting may be: flags, environment and file are all checked by the value itself,
// so that no verb can forget to.

// text is a setting that may be anything.
type text struct{ value *string }

func (t text) String() string { return *t.value }

// Type is what --help calls the value.
func (t text) Type() string { return "string" }

// Set implements pflag.Value.
func (t text) Set(value string) error {
	*t.value = value
	return nil
}

// texts is a list of them. What a flag gives first takes the place of what was there.
type texts struct {
	values  *[]string
	changed *bool
}

func (t texts) String() string { return strings.Join(*t.values, ",") }

// Type is what --help calls the value.
func (t texts) Type() string { return "stringArray" }

// Set implements pflag.Value.
func (t texts) Set(value string) error {
	if !*t.changed {
		*t.values, *t.changed = nil, true
	}
	return t.Append(value)
}

// Append implements pflag.SliceValue.
func (t texts) Append(value string) error {
	*t.values = append(*t.values, value)
	return nil
}

// Replace implements pflag.SliceValue.
func (t texts) Replace(values []string) error {
	*t.values = values
	return nil
}

// GetSlice implements pflag.SliceValue.
func (t texts) GetSlice() []string { return *t.values }

// models is the list of models in the short form.
type models struct {
	list    *[]Model
	changed *bool
}

func (m models) String() string { return strings.Join(m.GetSlice(), ",") }

// Type is what --help calls the value.
func (m models) Type() string { return "stringArray" }

// Set implements pflag.Value.
func (m models) Set(value string) error {
	if !*m.changed {
		*m.list, *m.changed = nil, true
	}
	return m.Append(value)
}

// Append implements pflag.SliceValue.
func (m models) Append(value string) error {
	var c Model
	err := c.UnmarshalText([]byte(value))
	*m.list = append(*m.list, c)
	return err
}

// Replace implements pflag.SliceValue.
func (m models) Replace(values []string) error {
	*m.list = nil
	for _, value := range values {
		if err := m.Append(value); err != nil {
			return err
		}
	}
	return nil
}

// GetSlice implements pflag.SliceValue.
func (m models) GetSlice() (short []string) {
	for _, c := range *m.list {
		short = append(short, c.short())
	}
	return short
}

// truth is a setting that is yes or no.
type truth struct{ value *bool }

func (t truth) String() string { return strconv.FormatBool(*t.value) }

// Type is what --help calls the value.
func (t truth) Type() string { return "bool" }

// Set implements pflag.Value.
func (t truth) Set(value string) (err error) {
	if *t.value, err = strconv.ParseBool(value); err != nil {
		return fmt.Errorf("use true or false")
	}
	return nil
}

// Duration is a length of time as settings write it: 90s, 10m, 1h30m.
type Duration struct{ time.Duration }

// String is the shortest way to write it.
func (d Duration) String() string {
	s := d.Duration.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(value []byte) (err error) {
	if d.Duration, err = time.ParseDuration(string(value)); err != nil {
		return fmt.Errorf("write a length of time with its unit, such as 90s, 10m or 1h30m, not %s", value)
	}
	return nil
}

// duration is a setting that is a length of time between two bounds.
type duration struct {
	value     *Duration
	low, high time.Duration
}

func (d duration) String() string { return d.value.String() }

// Type is what --help calls the value.
func (d duration) Type() string { return "duration" }

// Set implements pflag.Value.
func (d duration) Set(value string) error {
	var v Duration
	if err := v.UnmarshalText([]byte(value)); err != nil {
		return err
	}
	if v.Duration < d.low || v.Duration > d.high {
		return fmt.Errorf("use a time between %v and %v", Duration{d.low}, Duration{d.high})
	}
	*d.value = v
	return nil
}

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

// decimal is a setting between two bounds that need not be whole.
type decimal struct {
	value     *float64
	low, high float64
}

func (d decimal) String() string { return strconv.FormatFloat(*d.value, 'g', -1, 64) }

// Type is what --help calls the value.
func (d decimal) Type() string { return "float" }

// Set implements pflag.Value.
func (d decimal) Set(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= d.low && v <= d.high) {
		return fmt.Errorf("use a number between %v and %v", d.low, d.high)
	}
	*d.value = v
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
