package weights

import (
	"fmt"
	"regexp"
	"strings"
)

// This file owns which type each tensor of a rewritten file gets: what is asked for, what its role keeps, and what its rows
// and values allow. Nothing is lost in silence: a tensor that can't have the type that was asked for gets one that holds
// it, and that is told.

// Conversion is what is asked of Convert.
type Conversion struct {
	Target   Type                     // of matrices
	Keeps    func(name string) bool   // tensors whose role keeps them as they are; but F32, where nothing is lost, is for all
	Choices  []Choice                 // by name, before all else; the first that matches counts
	Notice   func(text string)        // each tensor that can't be what was asked for
	Progress func(done, total uint64) // values, after each tensor; or nil
}

// Choice gives the tensors whose name a pattern finds a type of their own.
type Choice struct {
	Pattern *regexp.Regexp
	Type    Type
}

// targets are the types that Convert writes.
var targets = []Type{F32, F16, Q8_0}

// ParseTarget reads the name of a type that Convert writes.
func ParseTarget(name string) (Type, error) {
	for _, t := range targets {
		if strings.EqualFold(t.String(), name) {
			return t, nil
		}
	}
	return 0, fmt.Errorf("type %q: files can be written as f32, f16 or q8_0", name)
}

// ParseChoice reads PATTERN=TYPE, where the pattern is a regular expression.
func ParseChoice(text string) (Choice, error) {
	at := strings.LastIndexByte(text, '=')
	if at < 1 {
		return Choice{}, fmt.Errorf("%q: use PATTERN=TYPE, such as ffn_down=f16", text)
	}
	pattern, err := regexp.Compile(text[:at])
	if err != nil {
		return Choice{}, fmt.Errorf("%q: %w", text, err)
	}
	t, err := ParseTarget(text[at+1:])
	return Choice{pattern, t}, err
}

// types are those that the tensors of src get.
func (c *Conversion) types(src *File) ([]Type, error) {
	types, used := make([]Type, len(src.tensors)), make([]bool, len(c.Choices))
	for i, t := range src.tensors {
		chosen, err := c.choose(src, t, used)
		if err != nil {
			return nil, err
		}
		types[i] = chosen
	}
	for i, found := range used {
		if !found {
			return nil, c.unused(src, i)
		}
	}
	return types, nil
}

// unused says why a choice has no tensor: none has such a name, or another choice that stands before it has all of them.
func (c *Conversion) unused(src *File, choice int) error {
	pattern := c.Choices[choice].Pattern
	for _, t := range src.tensors {
		if !pattern.MatchString(t.Name) {
			continue
		}
		for _, before := range c.Choices[:choice] {
			if before.Pattern.MatchString(t.Name) {
				return fmt.Errorf("the pattern %q chooses no tensor, as %q before it finds %s too: give %q first", pattern, before.Pattern, printable(t.Name), pattern)
			}
		}
	}
	return fmt.Errorf("the pattern %q finds no tensor: see chimera show --tensors", pattern)
}

func (c *Conversion) choose(src *File, t Tensor, used []bool) (Type, error) {
	_, readable := blockReaders[t.Type]
	for i, choice := range c.Choices {
		if !choice.Pattern.MatchString(t.Name) {
			continue
		}
		used[i] = true
		if !readable {
			return 0, fmt.Errorf("tensor %s can't be %s: it is %s, which can't be converted", printable(t.Name), choice.Type, t.Type)
		}
		largest, err := src.largest(t)
		if err != nil {
			return 0, err
		}
		if why := unfit(t, choice.Type, largest); why != "" {
			return 0, fmt.Errorf("tensor %s can't be %s: %s", printable(t.Name), choice.Type, why)
		}
		return choice.Type, nil
	}
	switch {
	case !readable:
		return t.Type, nil // integers and the like are copied
	case len(t.Shape) < 2 || c.Target == F32:
		return F32, nil
	case c.Keeps != nil && c.Keeps(t.Name):
		return t.Type, nil
	}
	return c.fitting(src, t)
}

// fitting is the target, or the first type after it that holds the tensor.
func (c *Conversion) fitting(src *File, t Tensor) (Type, error) {
	if t.Type == c.Target {
		return t.Type, nil
	}
	largest, err := src.largest(t)
	if err != nil {
		return 0, err
	}
	reason := unfit(t, c.Target, largest)
	if reason == "" {
		return c.Target, nil
	}
	to := F32
	switch {
	case unfit(t, F16, largest) == "":
		to = F16
	case t.Type == BF16:
		to = BF16
	}
	if c.Notice != nil {
		c.Notice(fmt.Sprintf("tensor %s is written as %s, not %s: %s", printable(t.Name), to, c.Target, reason))
	}
	return to, nil
}

// A half's range: the largest, and the least that has all its bits.
const largestHalf, leastHalf = 65504, 0x1p-14

// leastScale is the smallest scale of Q8_0's largest block with which its rounding to a half errs less than that of the
// values: 127 x 2^-25 against half a scale. Smaller blocks beside it may lose all their values, which are as small as the
// largest block's rounding.
const leastScale = 0x1p-17

// unfit says why a tensor of that largest value can't be of a type, or nothing if it can.
func unfit(t Tensor, to Type, largest float32) (reason string) {
	values, _ := to.Block()
	if t.Shape[0]%values != 0 {
		return fmt.Sprintf("rows of %d values are no multiple of %d", t.Shape[0], values)
	}
	if to == t.Type || to == F32 {
		return ""
	}
	most, least, of := float32(largestHalf), float32(leastHalf), "values"
	if to == Q8_0 {
		most, least, of = most*127, leastScale*127, "blocks"
	}
	switch {
	case largest > most:
		return fmt.Sprintf("its largest value is %g, the %s of %s reach %g", largest, of, to, most)
	case largest > 0 && largest < least:
		return fmt.Sprintf("its largest value is %g, below %g the %s of %s lose their precision", largest, least, of, to)
	}
	return ""
}

// largest is the largest absolute value of a tensor, all of which must be finite.
func (f *File) largest(t Tensor) (most float32, err error) {
	var values []float32
	err = f.finitePieces(t, func(rows []byte) error {
		values = t.values(rows, values)
		if err := Dequantize(t.Type, rows, values); err != nil {
			return err
		}
		most = max(most, magnitude(values))
		return nil
	})
	return most, err
}
