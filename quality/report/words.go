package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// This file owns how numbers are written: as many digits as tell something, in the unit that people say.

// number writes three digits that count, and all before the point, in groups of three.
func number(x float64) string {
	switch size := math.Abs(x); {
	case size >= 100:
		return grouped(strconv.FormatFloat(math.Round(x), 'f', 0, 64))
	case size == 0:
		return "0"
	case size < 1e-4:
		return strconv.FormatFloat(x, 'g', 2, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(x))))
	text := strconv.FormatFloat(x, 'f', digits, 64)
	text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	if text == "-0" {
		return "0"
	}
	return grouped(text)
}

// grouped puts commas into a number's digits before the point.
func grouped(text string) string {
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "−", text[1:]
	}
	whole, behind, found := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if found {
		whole += "." + behind
	}
	return sign + whole
}

// count writes a whole number.
func count(n int64) string { return grouped(strconv.FormatInt(n, 10)) }

// counted is a number of things, of which one is named otherwise than several.
func counted(n int64, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + several
}

// in writes a value in a unit: milliseconds from a second on as seconds, points with their one digit behind the point.
func in(x float64, unit string) string {
	switch unit {
	case millis:
		if math.Abs(x) >= 1000 {
			return number(x/1000) + " s"
		}
		return number(x) + " ms"
	case points:
		return tenths(x)
	case percent:
		return number(x) + " %"
	case perplexity:
		return number(x)
	case ratio, correlated:
		return grouped(strconv.FormatFloat(x, 'f', 3, 64))
	}
	return amount(x, unit)
}

// amount is a number of things, whose name is that of several of them.
func amount(x float64, things string) string {
	if x == 1 && things != perSecond {
		things = strings.TrimSuffix(things, "s")
	}
	return number(x) + " " + things
}

// tenths has always one digit behind the point: 68.0 and 68 are not the same claim.
func tenths(x float64) string {
	text := strconv.FormatFloat(x, 'f', 1, 64)
	if text == "-0.0" {
		text = "0.0"
	}
	return grouped(text)
}

// signed is a difference with its sign.
func signed(x float64, unit string) string {
	if text := in(x, unit); x <= 0 || strings.HasPrefix(text, "0 ") || text == "0.0" {
		return text
	} else {
		return "+" + text
	}
}

// Text is the figure's value as people write it, or that it is missing.
func (f Figure) Text() string {
	if f.Value == nil {
		return "missing"
	}
	return in(*f.Value, f.Unit)
}

// Interval is the figure's interval as people write it; "" where it has none.
func (f Figure) Interval() string {
	if f.Low == nil || f.High == nil {
		return ""
	}
	return in(*f.Low, f.Unit) + " to " + in(*f.High, f.Unit)
}

// withInterval is the value with what is known of how sure it is.
func (f Figure) withInterval() string {
	var notes []string
	if f.Low != nil && f.High != nil {
		notes = append(notes, "95 % interval "+f.Interval())
	}
	if f.N > 0 {
		notes = append(notes, amount(float64(f.N), f.Of))
	}
	if len(notes) == 0 {
		return f.Text()
	}
	return f.Text() + " (" + strings.Join(notes, ", ") + ")"
}

// distance tells how far a figure is from its objective: "12 % over the target of 1,340 queries/s".
func (o *Objective) distance(unit string) string {
	word := "target"
	if o.AtMost {
		word = "limit"
	}
	return o.share() + " the " + word + " of " + in(o.Target, unit)
}

// share is the distance alone: "12 % over", or "at" where there is none.
func (o *Objective) share() string {
	far := number(math.Abs(o.Difference))
	switch {
	case far == "0":
		return "at"
	case o.Difference > 0:
		return far + " % over"
	}
	return far + " % under"
}

// capital begins a sentence.
func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// listed joins words as a sentence does.
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// age is how long ago something was, in the unit that suits.
func age(since, now time.Time) string {
	switch d := now.Sub(since); {
	case d < 2*time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}
