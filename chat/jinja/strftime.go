package jinja

import (
	"fmt"
	"strings"
	"time"
)

// This file owns strftime_now's format: C's strftime in the C locale, as glibc has it, of a clock without a zone.

func strftime(t time.Time, format string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			b.WriteString(format)
			return b.String()
		}
		b.WriteString(format[:i])
		text, n := strftimeField(t, format[i:])
		b.WriteString(text)
		format = format[i+n:]
	}
}

// strftimeField writes the conversion at the beginning of spec and says how long it is: %, a flag, a width, a letter. What is
// no conversion stays as it is.
func strftimeField(t time.Time, spec string) (text string, n int) {
	n = 1
	flag, width := byte(0), 0
	for n < len(spec) && strings.IndexByte("-_0^#", spec[n]) >= 0 {
		flag = spec[n]
		n++
	}
	for n < len(spec) && spec[n] >= '0' && spec[n] <= '9' {
		width = min(width*10+int(spec[n]-'0'), maxWidth)
		n++
	}
	if n < len(spec) && (spec[n] == 'E' || spec[n] == 'O') { // alternatives that the C locale does not have
		n++
	}
	if n == len(spec) {
		return spec, n
	}
	text, digits, ok := strftimeValue(t, spec[n])
	if !ok {
		return spec[:n+1], n + 1
	}
	fill := " "
	switch {
	case digits > 0 && flag == '-':
		text = strings.TrimLeft(text[:len(text)-1], "0 ") + text[len(text)-1:]
	case digits > 0:
		width = max(width, digits)
		if flag == '0' || flag != '_' && !strings.HasPrefix(text, " ") {
			fill = "0"
		}
		text = strings.TrimLeft(text[:len(text)-1], "0 ") + text[len(text)-1:]
	case flag == '^' || flag == '#' && strings.IndexByte("aAbBh", spec[n]) >= 0:
		text = strings.ToUpper(text)
	case flag == '#' && (spec[n] == 'p' || spec[n] == 'Z'):
		text = strings.ToLower(text)
	case flag == '0':
		fill = "0"
	}
	return strings.Repeat(fill, max(width-len(text), 0)) + text, n + 1
}

var strftimeLayouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'h': "Jan", 'p': "PM", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04",
	'D': "01/02/06", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'r': "03:04:05 PM",
}

// strftimeValue is what a letter stands for; digits is a number's usual width, 0 for what is none. A number that begins with a
// space is filled with spaces.
func strftimeValue(t time.Time, c byte) (text string, digits int, ok bool) {
	number := func(n, digits int) (string, int, bool) { return fmt.Sprintf("%0*d", digits, n), digits, true }
	spaced := func(n int) (string, int, bool) { return fmt.Sprintf(" %d", n), 2, true }
	year, week := t.ISOWeek()
	hour := (t.Hour()+11)%12 + 1
	switch c {
	case 'd':
		return number(t.Day(), 2)
	case 'e':
		return spaced(t.Day())
	case 'm':
		return number(int(t.Month()), 2)
	case 'y':
		return number(t.Year()%100, 2)
	case 'Y':
		return number(t.Year(), 1)
	case 'C':
		return number(t.Year()/100, 2)
	case 'G':
		return number(year, 1)
	case 'g':
		return number(year%100, 2)
	case 'V':
		return number(week, 2)
	case 'U': // weeks begin on Sundays
		return number((t.YearDay()+6-int(t.Weekday()))/7, 2)
	case 'W': // and on Mondays
		return number((t.YearDay()+6-int(t.Weekday()+6)%7)/7, 2)
	case 'j':
		return number(t.YearDay(), 3)
	case 'H':
		return number(t.Hour(), 2)
	case 'k':
		return spaced(t.Hour())
	case 'I':
		return number(hour, 2)
	case 'l':
		return spaced(hour)
	case 'M':
		return number(t.Minute(), 2)
	case 'S':
		return number(t.Second(), 2)
	case 's':
		return number(int(t.Unix()), 1)
	case 'u':
		return number(int(t.Weekday()+6)%7+1, 1)
	case 'w':
		return number(int(t.Weekday()), 1)
	case 'f': // Python's own
		return fmt.Sprintf("%06d", t.Nanosecond()/1000), 0, true
	case 'P':
		return strings.ToLower(t.Format("PM")), 0, true
	case 'Z', 'z':
		return "", 0, true // a clock without a zone
	case '%':
		return "%", 0, true
	case 'n':
		return "\n", 0, true
	case 't':
		return "\t", 0, true
	}
	layout, ok := strftimeLayouts[c]
	return t.Format(layout), 0, ok
}
