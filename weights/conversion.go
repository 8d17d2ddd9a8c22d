package weights

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strings"
)

// This file owns which type each tensor of a rewritten file gets: what is asked for, what its role keeps, and what its rows
// and values allow. Nothing is lost in silence: a tensor that can't have the type that was asked for gets one that holds
// it, and that is told.

// Conversion is what is asked of Convert.
type Conversion struct {
	Recipe
	Search   Search                   // for types that need one
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
var targets = []Type{F32, F16, Q8_0, Q6_K, Q5_K, Q4_K, Q3_K, Q2_K, Q5_1, Q5_0, Q4_0}

// TargetNames lists the types that Convert writes, for people.
func TargetNames() string {
	var names []string
	for _, t := range targets {
		names = append(names, strings.ToLower(t.String()))
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// ParseTarget reads the name of a type that Convert writes.
func ParseTarget(name string) (Type, error) {
	for _, t := range targets {
		if strings.EqualFold(t.String(), name) {
			return t, nil
		}
	}
	return 0, fmt.Errorf("type %q: files can be written as %s", name, TargetNames())
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
	return c.fitting(src, t)
}

// fitting is the recipe's type, or the first after it that holds the tensor.
func (c *Conversion) fitting(src *File, t Tensor) (Type, error) {
	to, reason := c.Type(t.Name, t.Type, t.Shape)
	to, why, err := src.Holding(t, to)
	if err != nil {
		return 0, err
	}
	reason = cmp.Or(reason, why)
	if reason != "" && c.Notice != nil {
		c.Notice(fmt.Sprintf("tensor %s is written as %s, not %s: %s", printable(t.Name), to, c.wanted(t.Name), reason))
	}
	return to, nil
}

// Holding is a type for a tensor, or a wider one that holds it where that does not, and then why. It reads the tensor.
func (f *File) Holding(t Tensor, to Type) (holds Type, reason string, err error) {
	if to == t.Type || to == F32 {
		return to, "", nil
	}
	largest, err := f.largest(t)
	if err != nil {
		return to, "", err
	}
	if reason = unfit(t, to, largest); reason != "" {
		to = wider(t, largest)
	}
	return to, reason, nil
}

// wider is a float type that holds a tensor which others don't.
func wider(t Tensor, largest float32) Type {
	switch {
	case unfit(t, F16, largest) == "":
		return F16
	case t.Type == BF16:
		return BF16
	}
	return F32
}

// A half's range: the largest, and the least that has all its bits.
const largestHalf, leastHalf = 65504, 0x1p-14

// bounds are the largest and the least that the largest value of a tensor may be. Where a block's scale is a half alone, its
// rounding must err less than that of the values: by 2^-25 times the largest code, against half a scale. Where integers
// multiply it, these are chosen for the half as it is, and one that is not zero will do. Blocks beside the largest may lose
// all their values, which are as small as its rounding.
type bounds struct{ most, least float32 }

const quantum = 0x1p-24 // a half's least above zero

var boundsOf = map[Type]bounds{
	F16: {largestHalf, leastHalf}, Q8_0: {largestHalf * 127, 127 * 128 * quantum},
	Q4_0: {largestHalf * 7, 8 * 8 * quantum}, Q5_0: {largestHalf * 15, 16 * 16 * quantum}, Q5_1: {largestHalf, 31 * 32 * quantum},
	Q2_K: {largestHalf * 15, 3 * 15 * quantum}, Q3_K: {largestHalf * 3 * 31, 4 * 32 * quantum}, Q4_K: {largestHalf * 63, 15 * 63 * quantum},
	Q5_K: {largestHalf * 63, 31 * 63 * quantum}, Q6_K: {largestHalf * 31 * 127, 32 * 128 * quantum},
}

// unfit says why a tensor of that largest value can't be of a type, or nothing if it can.
func unfit(t Tensor, to Type, largest float32) (reason string) {
	values, _ := to.Block()
	if t.Shape[0]%values != 0 {
		return fmt.Sprintf("rows of %d values are no multiple of %d", t.Shape[0], values)
	}
	if to == t.Type || to == F32 {
		return ""
	}
	return to.Unfit(largest)
}

// Bounds are the least and the most that the largest value of a tensor may be, zeros apart, to be held by a type.
func (t Type) Bounds() (least, most float32) {
	b, ok := boundsOf[t]
	if !ok {
		return 0, math.MaxFloat32
	}
	return b.least, b.most
}

// Unfit says why a type can't hold values up to a largest, or nothing if it can.
func (t Type) Unfit(largest float32) (reason string) {
	least, most := t.Bounds()
	of := "values"
	if n, _ := t.Block(); n > 1 {
		of = "blocks"
	}
	switch {
	case largest > most:
		return fmt.Sprintf("its largest value is %g, the %s of %s reach %g", largest, of, t, most)
	case largest > 0 && largest < least:
		return fmt.Sprintf("its largest value is %g, below %g the %s of %s lose their precision", largest, least, of, t)
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
		most = max(most, Magnitude(values))
		return nil
	})
	return most, err
}
