package suites

import (
	"fmt"
	"strings"

	"chimera/quality/suite"
)

// This file owns edge cases of how a request is written: empty, very long, misspelt, in several scripts, from right to left.

var writing = []template{
	{"silence", "empty", func(d draws) question {
		return question{
			input:  d.of("", " ", "\n", "\n\n", "\t", "...", "…", "?", "-", "\u00a0", ".", " . ", "--", "\u3000", "??", "!"),
			checks: []suite.Check{contains("help", "assist", "question", "message", "empty", "hello", "hi", "clarify", "mean"), words(80), noLoop()},
		}
	}},
	{"no-text", "empty", func(d draws) question {
		do := d.of("Summarise the following text in one sentence", "Translate the following text into French", "Correct the spelling of this text", "Name the author of this quotation", "List the people in this text", "Say what this text is about")
		return question{
			input:  do + ":\n\n" + d.of(`""`, "", "''", "«»", "[]", "---\n---"),
			checks: []suite.Check{contains("empty", "no text", "nothing", "provide", "provided", "missing", "blank", "paste", "share", "include", "not given", "no quotation", "no content", "don't see", "there is no"), noLoop()},
		}
	}},
	{"needle", "long", func(d draws) question {
		place, code := d.of(places...), d.number(1000, 9999)
		sentences := filler(d, 40, 90)
		at := d.number(0, len(sentences))
		text := strings.Join(sentences[:at], " ") + fmt.Sprintf(" The code for %s is %d. ", place, code) + strings.Join(sentences[at:], " ")
		return question{input: text + "\n\nWhat is the code for " + place + "?" + alone, checks: []suite.Check{number(float64(code)), words(4)}}
	}},
	{"last-name", "long", func(d draws) question {
		list := d.some(18, people)
		return question{
			input:  "Here are names in the order of arrival: " + strings.Join(list, ", ") + ". Who arrived last? Answer with the name alone.",
			checks: []suite.Check{is(list[17]), absent(list[:17]...)},
		}
	}},
	{"who-has", "long", func(d draws) question {
		who, what := d.some(10, people), d.some(10, objects)
		text, asked := "", d.number(0, 9)
		for i := range who {
			text += fmt.Sprintf("%s has the %s. ", who[i], what[i])
		}
		return question{input: text + fmt.Sprintf("Who has the %s? Answer with the name alone.", what[asked]), checks: []suite.Check{contains(who[asked]), words(4)}}
	}},
	{"capital-misspelt", "typos", func(d draws) question {
		c := row(d, capitals)
		ask := d.of("waht is teh captial of %s? anwser with teh city olny", "wich city is the capitel of %s ?? just teh name plese", "tel me the captal city of %s, one wrod")
		return question{input: fmt.Sprintf(ask, c.country), checks: []suite.Check{contains(c.city), words(6)}}
	}},
	{"sum-misspelt", "typos", func(d draws) question {
		a, b := d.number(11, 80), d.number(11, 80)
		return question{input: fmt.Sprintf(d.of("hwo mcuh is %d pluss %d? nubmer only", "waht do yuo get wehn you ad %d adn %d?? jsut the numbr"), a, b), checks: []suite.Check{number(float64(a + b)), words(4)}}
	}},
	{"shouted", "typos", func(d draws) question {
		c := row(d, capitals)
		return question{input: fmt.Sprintf("WHATISTHECAPITALOF%s???ANSWERINONEWORD", strings.ToUpper(c.country)), checks: []suite.Check{contains(c.city), words(6)}}
	}},
	{"word-within", "mixed-script", func(d draws) question {
		w := row(d, foreignWords)
		word, language := w.russian, "Russian"
		if d.number(0, 1) == 0 {
			word, language = w.greek, "Greek"
		}
		return question{input: fmt.Sprintf("What does the %s word «%s» mean in English? Answer with one word.", language, word), checks: []suite.Check{contains(w.english), script("Latin"), words(3)}}
	}},
	{"other-script", "mixed-script", func(d draws) question {
		w := row(d, foreignWords)
		if d.number(0, 1) == 0 {
			return question{input: fmt.Sprintf("Write the word %q in Russian, in Cyrillic letters, and nothing else.", w.english), checks: []suite.Check{script("Cyrillic"), contains(w.russian), words(2)}}
		}
		return question{input: fmt.Sprintf("Write the word %q in Greek, in Greek letters, and nothing else.", w.english), checks: []suite.Check{script("Greek"), contains(w.greek), words(2)}}
	}},
	{"two-languages", "mixed-script", func(d draws) question {
		pair := d.some(2, []string{"Berlin", "London", "Madrid", "Oslo", "Dublin", "Sydney", "Toronto", "Nairobi"})
		said := fmt.Sprintf("我住在 %s，在 %s 工作。", pair[0], pair[1])
		if d.number(0, 1) == 0 {
			said = fmt.Sprintf("我在 %s 工作，住在 %s。", pair[1], pair[0])
		}
		return question{input: fmt.Sprintf("「%s」 In which of the two cities does the speaker live? Answer with the city alone.", said), checks: []suite.Check{contains(pair[0]), absent(pair[1])}}
	}},
	{"arabic", "right-to-left", func(d draws) question {
		c := row(d, capitals)
		return question{input: "ما هي عاصمة " + c.arabicCountry + "؟ أجب بكلمة واحدة.", checks: []suite.Check{contains(c.arabic), script("Arabic"), words(4)}}
	}},
	{"hebrew", "right-to-left", func(d draws) question {
		c := row(d, capitals)
		return question{input: "מהי בירת " + c.hebrewCountry + "? ענה במילה אחת.", checks: []suite.Check{contains(c.hebrew), script("Hebrew"), words(4)}}
	}},
	{"arabic-sum", "right-to-left", func(d draws) question {
		a, b := d.number(3, 40), d.number(3, 40)
		return question{input: fmt.Sprintf("كم يساوي %s + %s؟ أجب بالرقم فقط.", arabicDigits(a), arabicDigits(b)), checks: []suite.Check{number(float64(a + b)), words(4)}}
	}},
}

func arabicDigits(n int) string {
	return strings.Map(func(r rune) rune { return r - '0' + '٠' }, fmt.Sprint(n))
}

// filler is sentences that say nothing about codes.
func filler(d draws, least, most int) (sentences []string) {
	for range d.number(least, most) {
		sentences = append(sentences, fmt.Sprintf(d.of("%s left the %s near %s.", "Nobody asked %s about the %s from %s.", "In the morning %s carried a %s to %s.", "%s painted a picture of the %s at %s."), d.of(people...), d.of(objects...), d.of(places...)))
	}
	return sentences
}
