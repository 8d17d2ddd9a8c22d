package score

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode"
)

// This file holds BLEU and chrF to the sacrebleu package itself, on texts that nobody has looked at, and the classes of characters to
// Python's. It needs a Python that has sacrebleu.

// pair is one question to the judge.
type pair struct {
	tokenizer, hypothesis string
	references            []string
}

// MarshalJSON has the form that testdata/judge.py reads.
func (p pair) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{p.tokenizer, p.hypothesis, p.references})
}

type judgement struct {
	Version                                              string
	BLEU, ChrF                                           []float64
	Corpora                                              map[string]float64
	Characters, Space, Word, Punctuation, Number, Symbol []rune // the first are those that were asked about
	Lower                                                map[string]string
	Sigma                                                map[string][]rune // a text with a character for ?, and those that make its sigma final
}

const randomPairs = 10_000

// judged are random pairs and what the judge says of them; it is asked once.
var judged = sync.OnceValues(func() ([]pair, error) {
	rng := rand.New(rand.NewPCG(3, 1))
	pairs := make([]pair, randomPairs)
	var in bytes.Buffer
	for i := range pairs {
		pairs[i] = randomPair(rng, Tokenizers()[i%5])
		if err := json.NewEncoder(&in).Encode(pairs[i]); err != nil {
			return nil, err
		}
	}
	c := exec.Command(os.Getenv("CHIMERA_PYTHON"), "testdata/judge.py")
	c.Stdin, c.Stderr = &in, os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, err
	}
	return pairs, json.Unmarshal(out, &verdict)
})

var verdict judgement

func ask(t *testing.T) ([]pair, judgement) {
	t.Helper()
	if os.Getenv("CHIMERA_PYTHON") == "" || testing.Short() {
		t.Skip("set CHIMERA_PYTHON to a Python that has sacrebleu (make test does)")
	}
	pairs, err := judged()
	if err != nil {
		t.Fatal(err)
	}
	if verdict.Version != "2.6.0" {
		t.Fatalf("sacrebleu %s: scores are those of 2.6.0", verdict.Version)
	}
	return pairs, verdict
}

// pieces are what texts are made of: words that repeat, and what tokenizers and scorers may trip over.
var pieces = [][]string{
	strings.Fields("the cat sat on a mat Der Hund läuft nach Hause naïve Ελλάδα Москва 北京 東京タワー العالم नमस्ते ไทย"),
	{" ", " ", " ", " ", " ", " ", "  ", "\t", "\u00a0", "\u3000", "\u2028", "\u200b", "\x1c", "\x1f", "\r", "\n", "-\n", "\u0085"},
	strings.Fields(`. , . , - ' " ! ? ( ) [ ] { } / \ _ ^ ~ @ # $ % * + = < > | : ; & ... .. ,. .,`),
	strings.Fields("3.14 1,000 5-3 .5 5. 2010. 1.a a.1 ٣٫٥ ½ Ⅷ 二〇 x² 1/2 -5 --5 7-"),
	strings.Fields("&quot; &amp; &lt; &gt; &amp;lt; &amp;amp; &apos; &#39; <skipped> <br/> &quot"),
	strings.Fields("« » „ “ ‘ ’ – — … ¿ ¡ 。 ， 、 「 」 ！ ： ‰ • · ॥ ، ؟ ፡"),
	strings.Fields("€ £ ™ © ° ± × ∑ → ∀ ♥ ⚙ ￥ ＄ ⅓ ◌́ 😀 👩\u200d💻 🇩🇪 👍🏽 𝒳 𠀀 㐀 豈 ﷺ ﹏ ㈱ ⺀ ⼀ ⿰"),
	{"\x00", "\x01", "\x7f", "\u00ad", "\u0301", "\ufeff", "\ue000", "\U0010ffff", "\ufffd"},
}

func randomText(rng *rand.Rand, n int) (text []string) {
	for range n {
		kind := rng.IntN(3) // words and blanks, mostly
		switch {
		case rng.IntN(12) == 0:
			text = append(text, string(randomRune(rng)))
			continue
		case kind == 2:
			kind = rng.IntN(len(pieces))
		}
		of := pieces[kind]
		text = append(text, of[rng.IntN(len(of))])
	}
	return text
}

// randomRune is one that has been assigned for so long that Go and Python know it.
func randomRune(rng *rand.Rand) rune {
	for {
		if r := rune(rng.IntN(0x20000)); unicode.IsGraphic(r) && unicode.In(r, unicode.Latin, unicode.Han, unicode.Greek, unicode.Arabic, unicode.Hangul, unicode.Common) && r < 0x1f000 {
			return r
		}
	}
}

func randomPair(rng *rand.Rand, tokenizer string) pair {
	lengths := []int{0, 1, 2, 3, 4, 5, 8, 12, 20, 40, 90}
	base := randomText(rng, lengths[rng.IntN(len(lengths))])
	near := func() string {
		var text []string
		for _, piece := range base {
			switch rng.IntN(12) {
			case 0: // it is missing
			case 1:
				text = append(text, randomText(rng, 1)...)
			case 2:
				text = append(text, piece, piece)
			default:
				text = append(text, piece)
			}
		}
		return strings.Join(text, "")
	}
	p := pair{tokenizer: tokenizer, hypothesis: near()}
	for range 1 + max(0, rng.IntN(5)-2) {
		if rng.IntN(20) == 0 {
			p.references = append(p.references, strings.Join(randomText(rng, lengths[rng.IntN(len(lengths))]), ""))
		} else {
			p.references = append(p.references, near())
		}
	}
	return p
}

func TestSacrebleu(t *testing.T) {
	pairs, want := ask(t)
	corpora := map[string][]pair{}
	positive := 0
	for i, p := range pairs {
		bleu, chrf := metric(t, "bleu", p.tokenizer), metric(t, "chrf", "")
		b, c := bleu.Sentence(bleu.Counts(p.hypothesis, p.references)), chrf.Sentence(chrf.Counts(p.hypothesis, p.references))
		if !near(b, want.BLEU[i]) || !near(c, want.ChrF[i]) {
			t.Fatalf("%s of %q against %q: %v and chrF %v, want %v and %v", p.tokenizer, p.hypothesis, p.references, b, c, want.BLEU[i], want.ChrF[i])
		}
		if b > 0 && b < 99 {
			positive++
		}
		key := fmt.Sprintf("%s %d", p.tokenizer, len(p.references))
		corpora[key] = append(corpora[key], p)
	}
	if positive < randomPairs/2 {
		t.Errorf("only %d pairs say anything", positive)
	}
	for key, list := range corpora {
		var hypotheses []string
		var references [][]string
		for _, p := range list {
			hypotheses, references = append(hypotheses, p.hypothesis), append(references, p.references)
		}
		for _, name := range []string{"bleu", "chrf"} {
			tokenizer := ""
			if name == "bleu" {
				tokenizer = list[0].tokenizer
			}
			r, err := Corpus(metric(t, name, tokenizer), hypotheses, references, false)
			if of, known := want.Corpora[name+" "+key]; err != nil || !known || !near(r.Score, of) {
				t.Errorf("%s %s: %v, %v, want %v", name, key, r.Score, err, of)
			}
		}
	}
}

// TestCharactersAsPython holds the classes of all characters to Python's, of those that both have heard of.
func TestCharactersAsPython(t *testing.T) {
	_, want := ask(t)
	asked := setOf(want.Characters)
	type class struct {
		theirs []rune
		ours   func(rune) bool
	}
	classes := map[string]class{
		"blank": {want.Space, isSpace}, "number": {want.Number, unicode.IsNumber}, "symbol": {want.Symbol, unicode.IsSymbol},
		"punctuation": {want.Punctuation, unicode.IsPunct},
		"word":        {want.Word, func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }},
	}
	for form, theirs := range want.Sigma {
		classes[form] = class{theirs, func(r rune) bool { return strings.Contains(lower(strings.Replace(form, "?", string(r), 1)), "ς") }}
	}
	if len(asked) < 60_000 {
		t.Errorf("Python knows %d characters", len(asked))
	}
	for name, c := range classes {
		in, differ := setOf(c.theirs), 0
		for r := range asked {
			if isAssigned(r) && c.ours(r) != in[r] {
				if differ++; differ < 10 {
					t.Errorf("%U: is it of %s? Python says %v", r, name, in[r])
				}
			}
		}
	}
	for upper, small := range want.Lower {
		if got := lower(upper); got != small {
			t.Errorf("lower case of %q is %q in Python and %q here", upper, small, got)
		}
	}
}

// isAssigned: Go's Unicode has the character.
func isAssigned(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co)
}

func setOf(list []rune) map[rune]bool {
	set := make(map[rune]bool, len(list))
	for _, r := range list {
		set[r] = true
	}
	return set
}

// TestTranslations is the corpus BLEU and chrF that sacrebleu gave a translation model's answers.
func TestTranslations(t *testing.T) {
	dir := os.Getenv("CHIMERA_MT")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "mt")
	}
	answers, err := os.ReadFile(filepath.Join(dir, "greedy-f32.json"))
	if err != nil {
		t.Skip("no mt folder: set CHIMERA_MT")
	}
	suite, err := os.ReadFile(filepath.Join(dir, "suite", "test.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []struct{ Text string }
	if err := json.Unmarshal(answers, &lines); err != nil {
		t.Fatal(err)
	}
	var hypotheses []string
	var references [][]string
	for i, line := range bytes.Split(bytes.TrimSpace(suite), []byte("\n")) {
		var of struct{ References []string }
		if err := json.Unmarshal(line, &of); err != nil {
			t.Fatal(err)
		}
		hypotheses, references = append(hypotheses, strings.TrimSpace(lines[i].Text)), append(references, of.References[:1])
	}
	for name, want := range map[string]string{"bleu": "28.1257", "chrf": "52.81"} {
		r, err := Corpus(metric(t, name, ""), hypotheses, references, false)
		if got := fmt.Sprintf("%.*f", len(want)-3, r.Score); err != nil || got != want || r.N != 1000 {
			t.Errorf("%s %s, %v, want %s", name, got, err, want)
		}
	}
}
