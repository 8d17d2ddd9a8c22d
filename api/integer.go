package api

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file owns integers: JSON knows numbers alone, so 16, 16.0 and 1.6e1 are the same one, and one that is larger than any
// machine's is still an integer.

// integers reads all fields of type int64. What is beyond it becomes the least or the largest, which ranges then judge.
var integers = json.UnmarshalFromFunc(func(d *jsontext.Decoder, n *int64) error {
	if d.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	digits, ok := integerText(string(v))
	if !ok {
		return &fractionError{d.StackPointer(), clip(string(v), maxParam)}
	}
	*n, _ = strconv.ParseInt(digits, 10, 64) // beyond the range it is the end of it
	return nil
})

// fractionError is a number where an integer belongs.
type fractionError struct {
	at    jsontext.Pointer
	value string
}

func (e *fractionError) Error() string { return fmt.Sprintf("%s: %s is no integer", e.at, e.value) }

// maxDigits is more digits than any integer here has.
const maxDigits = 25

// integerText writes a JSON number without fraction and exponent; false: it is no integer. Of one with more than maxDigits
// digits it gives some with as many.
func integerText(number string) (digits string, ok bool) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	fraction = strings.TrimRight(fraction, "0")
	digits = strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "0", true
	}
	shift, err := strconv.Atoi(exponent)
	if exponent != "" && err != nil { // 1e99999999999999999999
		shift = max(min(shift, 1<<30), -1<<30)
	}
	for shift -= len(fraction); shift < 0; shift++ {
		if digits == "" || digits[len(digits)-1] != '0' {
			return "", false
		}
		digits = digits[:len(digits)-1]
	}
	digits += strings.Repeat("0", min(shift, maxDigits))
	if len(digits) > maxDigits {
		digits = strings.Repeat("9", maxDigits)
	}
	if negative {
		digits = "-" + digits
	}
	return digits, true
}

// shown is an integer in a message: what lies beyond int64 is not repeated digit for digit.
func shown(n int64) string {
	switch n {
	case math.MaxInt64:
		return "a number as large as that"
	case math.MinInt64:
		return "a number as small as that"
	}
	return strconv.FormatInt(n, 10)
}

// seed reads the field of that name. Absent, and -1 as front ends have it, it is random; all others to the ends of int64 and
// of uint64 give the same answer each time.
func (g *generation) seed() (uint64, error) {
	const field = "seed"
	if g.Seed.Kind() == 0 || g.Seed.Kind() == 'n' {
		return randomSeed(), nil
	}
	digits, ok := integerText(string(g.Seed))
	if g.Seed.Kind() != '0' || !ok {
		return 0, badField(field, "it must be an integer, not %s", given(g.Seed.Kind(), g.Seed))
	}
	if digits == "-1" {
		return randomSeed(), nil
	}
	signed, errSigned := strconv.ParseInt(digits, 10, 64)
	unsigned, errUnsigned := strconv.ParseUint(digits, 10, 64)
	switch {
	case errSigned == nil:
		return uint64(signed), nil
	case errors.Is(errUnsigned, strconv.ErrRange), errUnsigned != nil:
		return 0, badField(field, "it must be at least %d and at most %d; -1 is a random one", math.MinInt64, uint64(math.MaxUint64))
	}
	return unsigned, nil
}

func randomSeed() uint64 {
	var random [8]byte
	rand.Read(random[:]) // never fails
	return binary.LittleEndian.Uint64(random[:])
}
