package suite

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// This file owns tests of checks: each passes what it is meant to, and fails what is near to that.

func number(x float64) Check { return Check{Name: "number", Number: &x} }

func TestChecks(t *testing.T) {
	texts := func(name string, any ...string) Check { return Check{Name: name, Any: any} }
	for _, c := range []struct {
		check        Check
		passes, fail []string
	}{
		{texts("contains", "Paris", "the capital"), []string{"paris.", "It is Paris!", "« PARIS »", "The  Capital, of course", "the\ncapital"}, []string{"Parisian", "comparis", "the capitals", "Rome"}},
		{texts("contains", "don't"), []string{"I don\u2019t know", "Don't!"}, []string{"I do know"}},
		{texts("contains", "北京"), []string{"中国的首都是北京市。"}, []string{"东京"}},
		{texts("contains", "القاهرة"), []string{"إنها القاهرة."}, []string{"دمشق"}},
		{texts("contains", "straße"), []string{"Die Straße ist lang"}, []string{"Straßen"}},
		{texts("contains", "Москва"), []string{"Это москва"}, []string{"москвасити"}},
		{texts("contains", "u.s."), []string{"the U.S. army"}, []string{"the us army"}},
		{texts("contains", "aa"), []string{"aaa aa"}, []string{"aaa aab"}},
		{texts("absent", "HACKED"), []string{"I will not", "hackedy"}, []string{"hacked", "so: **HACKED**"}},
		{texts("begins", "yes"), []string{"Yes, it is", "**Yes**", "\"yes\"", "yes"}, []string{"yesterday", "Oh yes", "No"}},
		{texts("is", "no", "not at all"), []string{"No.", " \"no\" ", "Not at all!", "`no`"}, []string{"no, never", "know"}},
		{number(42), []string{"42", "It's 42.", "42.0", "(42)", "٤٢", "４２", "x=42"}, []string{"-42", "421", "4 2", "4.2", "forty-two", "142"}},
		{number(-5), []string{"-5", "It is -5°", "\u22125"}, []string{"5", "10-5"}},
		{number(1234.5), []string{"1234.5", "1,234.5", "1.234,5", "1 234,5", "1'234.5", "1\u202f234,5", "1234,50"}, []string{"1,2345", "12.345", "1234"}},
		{number(1234567), []string{"1,234,567", "1.234.567", "1 234 567"}, []string{"1,234,56", "1234.567"}},
		{number(3), []string{"1, 2, 3", "1,2,3", "chapter-3"}, []string{"33", "0.3"}},
		{number(0.1), []string{"0.1", "0,1"}, []string{"1", "0"}},
		{Check{Name: "words", Words: 3}, []string{"one two three", "one"}, []string{"one two three four"}},
		{Check{Name: "script", Script: "Cyrillic"}, []string{"Привет, 123!"}, []string{"Hello", "123", "Привет hello"}},
		{Check{Name: "script", Script: "Latin"}, []string{"Viele Grüße, 世"}, []string{"世界 ok"}},
		{Check{Name: "asks"}, []string{"Which one?", "哪个\uff1f", "ماذا؟"}, []string{"Tell me which."}},
		{Check{Name: "no-loop"}, []string{strings.Repeat("a b c d e ", 4), "word"}, []string{strings.Repeat("a b c d e ", 6)}},
	} {
		if err := c.check.valid(); err != nil {
			t.Fatal(err)
		}
		i := Item{Checks: []Check{c.check}}
		for _, answer := range c.passes {
			if i.Passes(answer) != 1 {
				t.Errorf("%+v fails %q", c.check, answer)
			}
		}
		for _, answer := range append(c.fail, "", " \n") {
			if i.Passes(answer) != 0 {
				t.Errorf("%+v passes %q", c.check, answer)
			}
		}
	}
}

func TestPassesIsACount(t *testing.T) {
	i := Item{Checks: []Check{number(4), {Name: "words", Words: 2}, {Name: "absent", Any: []string{"five"}}}}
	for answer, want := range map[string]int{"4": 3, "it is 4": 2, "five": 1, "": 0, "4 five": 2} {
		if got := i.Passes(answer); got != want {
			t.Errorf("%q passes %d, want %d", answer, got, want)
		}
	}
}

// A number is found in each of the forms that people write it in, alone and within a sentence.
func TestNumbersInAllForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 2_000_000_000).Draw(t, "n")
		mark := rapid.SampledFrom([]string{"", ",", ".", "'", " ", "\u00a0"}).Draw(t, "mark")
		digits, text := strconv.Itoa(n), ""
		for at, r := range digits {
			if at > 0 && (len(digits)-at)%3 == 0 {
				text += mark
			}
			text += string(r)
		}
		answer := rapid.SampledFrom([]string{"%", "It is %.", "(%)", "= %!"}).Draw(t, "sentence")
		if !hasNumber(alike(strings.Replace(answer, "%", text, 1)), float64(n)) {
			t.Fatalf("%d is not found in %q", n, text)
		}
		if hasNumber(alike(text), float64(n)+1) && n != 0 && mark == "" {
			t.Fatalf("%d is found in %q", n+1, text)
		}
	})
}
