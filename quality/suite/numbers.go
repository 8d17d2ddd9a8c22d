package suite

import (
	"regexp"
	"strconv"
	"strings"
)

// This file owns numbers in answers. People write 1234.5 also as 1,234.5, 1.234,5 and 1 234,5; which mark is which can't always be
// told (1,234), so each reading counts: a check asks for one number, and a false reading of another seldom is that one.

// written is digits with marks between them. A dash that follows a letter or digit joins words and is no sign.
var written = regexp.MustCompile(`(?:^|[^\p{L}\p{N}])(-?)(\d+(?:[.,' ]\d+)*)|(\d+(?:[.,' ]\d+)*)`)

// grouped are whole numbers whose thousands are marked.
var grouped = regexp.MustCompile(`^\d{1,3}(?:[.,' ]\d{3})+$`)

// zeros are where the decimal digits of scripts begin that people write numbers in.
var zeros = []rune{0x660, 0x6f0, 0x966, 0x9e6}

// ascii writes digits of other scripts as ASCII's.
func ascii(text string) string {
	return strings.Map(func(r rune) rune {
		for _, zero := range zeros {
			if r >= zero && r <= zero+9 {
				return '0' + r - zero
			}
		}
		return r
	}, text)
}

// hasNumber tells whether a number stands in an answer.
func hasNumber(answer string, number float64) bool {
	for _, m := range written.FindAllStringSubmatch(ascii(answer), -1) {
		for _, reading := range readings(m[2] + m[3]) {
			if m[1] == "-" {
				reading = -reading
			}
			if reading == number { // decimals of one value are read as one float64
				return true
			}
		}
	}
	return false
}

// readings are the numbers that digits with marks may mean.
func readings(digits string) (list []float64) {
	add := func(text string) {
		if x, err := strconv.ParseFloat(text, 64); err == nil {
			list = append(list, x)
		}
	}
	without := func(text string) string { return strings.NewReplacer(".", "", ",", "", "'", "", " ", "").Replace(text) }
	if grouped.MatchString(digits) {
		add(without(digits))
	}
	if last := strings.LastIndexAny(digits, ".,"); last < 0 {
		add(digits)
	} else if head := digits[:last]; without(head) == head || grouped.MatchString(head) {
		add(without(head) + "." + digits[last+1:])
	}
	for _, part := range strings.FieldsFunc(digits, func(r rune) bool { return r == ' ' || r == ',' || r == '\'' }) { // a list of numbers
		if strings.Count(part, ".") <= 1 {
			add(part)
		}
	}
	return list
}
