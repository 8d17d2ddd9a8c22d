package suites

import (
	"fmt"
	"strconv"
	"strings"

	"chimera/quality/suite"
)

// This file owns edge cases of numbers.

const alone = " Answer with the number alone."

var numbers = []template{
	{"price", "numbers", func(d draws) question {
		a, n := d.number(3, 39), d.number(3, 19)
		return counted(a*n, "A ticket costs %d euros. What do %d tickets cost?", a, n)
	}},
	{"left-over", "numbers", func(d draws) question {
		a, b := d.number(40, 99), d.number(3, 35)
		return counted(a-b, "%s had %d %s and gave %d of them away. How many are left?", d.of(people...), a, d.of(things...), b)
	}},
	{"percent", "numbers", func(d draws) question {
		p, of := 5*d.number(1, 19), 100*d.number(2, 40)
		return counted(p*of/100, "What is %d %% of %d?", p, of)
	}},
	{"decimals", "numbers", func(d draws) question {
		whole, tenth, hundredths := d.number(2, 60), d.number(5, 9), d.number(11, 49)
		large, small := fmt.Sprintf("%d.%d", whole, tenth), fmt.Sprintf("%d.%d", whole, hundredths)
		first, second := large, small
		if d.number(0, 1) == 0 {
			first, second = small, large
		}
		value, _ := strconv.ParseFloat(large, 64)
		return question{input: fmt.Sprintf("Which is larger, %s or %s?%s", first, second, alone), checks: []suite.Check{number(value), absent(small), words(3)}}
	}},
	{"below-zero", "numbers", func(d draws) question {
		low, rise := d.number(6, 25), d.number(2, 40)
		return counted(rise-low, "At night it was -%d degrees. By noon it was %d degrees warmer. How many degrees were there at noon?", low, rise)
	}},
	{"digits", "numbers", func(d draws) question {
		millions, thousands := d.number(2, 48), d.number(101, 989)
		return counted(millions*1_000_000+thousands*1000, "Write %d million %d thousand in digits.", millions, thousands)
	}},
	{"metres", "numbers", func(d draws) question {
		km, m := d.number(2, 30), d.number(1, 9)*50
		return counted(km*1000+m, "How many metres are %d kilometres and %d metres?", km, m)
	}},
	{"clock", "numbers", func(d draws) question {
		hour, minute, takes := d.number(10, 20), d.number(20, 55), d.number(45, 115)
		end := hour*60 + minute + takes
		return question{
			input:  fmt.Sprintf("A train leaves at %d:%02d and travels for %d minutes. When does it arrive? Answer with the time alone, in the 24-hour form HH:MM.", hour, minute, takes),
			checks: []suite.Check{contains(fmt.Sprintf("%d:%02d", end/60, end%60)), words(3)},
		}
	}},
	{"largest", "numbers", func(d draws) question {
		var list []string
		most := 0
		for range 6 {
			n := d.number(1000, 99999)
			list, most = append(list, strconv.Itoa(n)), max(most, n)
		}
		return counted(most, "Which of these numbers is the largest: %s?", strings.Join(list, ", "))
	}},
	{"count-words", "numbers", func(d draws) question {
		list := d.some(d.number(4, 9), objects)
		return counted(len(list), "How many words are in this list: %s?", strings.Join(list, " "))
	}},
	{"none-of-these", "numbers", func(d draws) question {
		list := d.some(5, things)
		q := counted(0, "A shop sells %s. It sells nothing else. How many kinds of %s does it sell?", strings.Join(list[:4], ", "), list[4])
		return q
	}},
}

// counted is a question whose answer is a whole number, and no more than that.
func counted(answer int, form string, fill ...any) question {
	return question{input: fmt.Sprintf(form, fill...) + alone, checks: []suite.Check{number(float64(answer)), words(3)}}
}
