package score

import (
	"slices"
	"strings"
	"testing"
)

// This file owns the tests of the tokenizers.

func TestTokenizers(t *testing.T) {
	for _, c := range []struct{ tokenizer, text, want string }{
		{"13a", "a.b, c", "a . b , c"},
		{"13a", "1.5, x.", "1.5 , x ."},
		{"13a", "well-known 5-3 'x'", "well-known 5 - 3 'x'"},
		{"13a", "&amp;lt; &quot;", "< \""},
		{"13a", "a..b", "a . . b"},
		{"13a", "e\u0301. é.", "e\u0301 . é ."},
		{"13a", "end-\nless\nx<skipped>y", "endless xy"},
		{"13a", "2010.", "2010 ."},
		{"zh", "2010.", "2010."}, // no blank is put around the text there
		{"zh", "我们x。y→z", "我 们 x 。 y → z"},
		{"zh", "\U00020000x", "\U00020000x"}, // what the slipped range was to hold
		{"intl", "2010.", "2010."},
		{"intl", "«a» 1,5 b,5 5,b", "« a » 1,5 b , 5 5 , b"},
		{"intl", "5€+½", "5 € + ½"},
		{"char", "a b\x1c ü", "a b ü"},
		{"none", " a.b \x1f c\u00a0d\u200be ", "a.b c d\u200be"},
	} {
		f, err := tokenizerOf(c.tokenizer)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(f(c.text), " "); got != c.want {
			t.Errorf("%s of %q: %q, want %q", c.tokenizer, c.text, got, c.want)
		}
	}
}

func TestLower(t *testing.T) {
	for _, c := range [][2]string{
		{"ABC Ä", "abc ä"}, {"İI", "i\u0307i"}, {"\u212a", "k"}, {"ẞ", "ß"}, {"ǅ", "ǆ"}, // as Python's str.lower has it
		{"ΟΔΟΣ", "οδος"}, {"Σ ΑΣ Σ", "σ ας σ"}, {"ΑΣΑ", "ασα"}, {"ΑΣ'", "ας'"}, {"ΑΣ.Α", "ασ.α"}, {"Α\u0301Σ\u0301", "α\u0301ς\u0301"}, {"1Σ", "1σ"}, {"A-Σ", "a-σ"}, {"ΑΣ-Α", "ας-α"},
		{strings.Repeat("ΑΣ ", 1000) + "ΟΔΟΣ", strings.Repeat("ας ", 1000) + "οδος"},
	} {
		if got := lower(c[0]); got != c[1] {
			t.Errorf("lower case of %q is %q, want %q", c[0], got, c[1])
		}
	}
}

func TestInvalidBytes(t *testing.T) {
	for _, name := range Metrics() {
		m := metric(t, name, "")
		with, want := m.Counts("a \xff b.\xe2\x80 c", []string{"a \xfe b", "\x80"}), m.Counts("a \ufffd b.\ufffd\ufffd c", []string{"a \ufffd b", "\ufffd"})
		if !slices.Equal(with, want) {
			t.Errorf("%s: %v, want %v", name, with, want)
		}
	}
}

// No tokenizer adds or loses a character, but for what 13a replaces; none gives an empty word.
func FuzzTokenizers(f *testing.F) {
	for _, text := range []string{"", "a.b, c", "1.5-", "&amp;lt;<skipped>", "我们。x", "«a» 5€", "\x80\xff.", "\x1c\u2028 ", "👩\u200d💻", "..,,..", "-\n-", "\xe2\x80 \xa8"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = valid(text)
		for name, tokenize := range tokenizers {
			if name == "13a" && (strings.Contains(text, "&") || strings.Contains(text, "<skipped>") || strings.Contains(text, "-\n")) {
				continue
			}
			list := tokenize(text)
			if slices.Contains(list, "") {
				t.Fatalf("%s of %q: %q", name, text, list)
			}
			if got, want := string(withoutSpaces(strings.Join(list, ""))), string(withoutSpaces(text)); got != want {
				t.Fatalf("%s of %q: %q", name, text, list)
			}
		}
	})
}

// No text stops a metric or takes it out of its scale, and a text without references' words has the least score.
func FuzzMetrics(f *testing.F) {
	f.Add("the cat", "a cat", "cats")
	f.Add("", "", "")
	f.Add("\xff.", "İΣ", "\x00")
	f.Fuzz(func(t *testing.T, hypothesis, first, second string) {
		for _, name := range Metrics() {
			m := metric(t, name, "")
			most := 1.0
			if name == "bleu" || name == "chrf" {
				most = 100
			}
			for _, references := range [][]string{{first}, {first, second}, {hypothesis}} {
				counts := m.Counts(hypothesis, references)
				for _, s := range []float64{m.Sentence(counts), m.Score(counts)} {
					if !(s >= 0 && s <= most*(1+1e-12)) {
						t.Fatalf("%s of %q against %q is %v", name, hypothesis, references, s)
					}
				}
			}
		}
	})
}
