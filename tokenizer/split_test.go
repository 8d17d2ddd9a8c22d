// This file judges the hand-written scanners by the patterns they stand for, run by a backtracking engine.
package tokenizer

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlclark/regexp2/v2"
)

const (
	patternGPT2     = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	patternWords    = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternO200k    = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternDeepSeek = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
	patternBloom    = ` ?[^(\s|.,!?…。，、।۔،)]+`
)

// patterns are the published ones, by the name of a pre-tokenizer that uses them.
var patterns = map[string][]string{
	"gpt-2":       {patternGPT2},
	"smollm":      {`\p{N}`, patternGPT2},
	"llama-bpe":   {patternWords},
	"minicpm5":    {`\p{N}{1,3}`, strings.Replace(patternWords, "{1,3}", "+", 1)},
	"qwen2":       {strings.Replace(patternWords, "{1,3}", "", 1)},
	"bailingmoe":  {`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`},
	"seed-coder":  {`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+`},
	"ufakzeka":    {`[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`},
	"qwen35":      {`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`},
	"gpt-4o":      {patternO200k},
	"tekken":      {strings.Replace(strings.ReplaceAll(patternO200k, `(?i:'s|'t|'re|'ve|'m|'ll|'d)?`, ""), "{1,3}", "", 1)},
	"deepseek-v3": {`\p{N}{1,3}`, `[一-龥぀-ゟ゠-ヿ]+`, patternDeepSeek},
	"deepseek-llm": {`[\r\n]`, `\s?[` + casedSet + `]+`, `\s?[!-/:-~！-／：-～‘-‟　-。]+`, `\s+$`, `[一-龥ࠀ-一가-퟿]+`,
		`\p{N}+`},
	"deepseek-coder": {`[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, `[一-龥ࠀ-一가-퟿]+`, `\p{N}`},
	"falcon":         {"[\\p{P}\\$\\+<=>\\^~\\|`]+", patternGPT2, `[0-9][0-9][0-9]`},
	"default":        {`[\p{P}\$\+<=>\^~\|]+`, patternGPT2, `\p{N}+`, `[0-9][0-9][0-9]`},
	"bloom":          {patternBloom},
	"viking":         {patternBloom, `\p{N}`},
}

// splitPattern cuts text as Hugging Face's Split with the behaviour "isolated": matches and what lies between them.
func splitPattern(t *testing.T, pattern *regexp2.Regexp, text string) (parts []string) {
	t.Helper()
	runes := []rune(text)
	done := 0
	m, err := pattern.FindRunesMatch(runes)
	for ; m != nil && err == nil; m, err = pattern.FindNextMatch(m) {
		if m.RuneLength == 0 {
			continue
		}
		if m.RuneIndex > done {
			parts = append(parts, string(runes[done:m.RuneIndex]))
		}
		done = m.RuneIndex + m.RuneLength
		parts = append(parts, string(runes[m.RuneIndex:done]))
	}
	if err != nil {
		t.Fatal(err)
	}
	if done < len(runes) {
		parts = append(parts, string(runes[done:]))
	}
	return parts
}

func splitAll[S any](texts []string, splitters []S, one func(S, string) []string) []string {
	for _, s := range splitters {
		var parts []string
		for _, text := range texts {
			parts = append(parts, one(s, text)...)
		}
		texts = parts
	}
	return texts
}

func splitParts(s splitter, text string) (parts []string) {
	for len(text) > 0 {
		n := s(text)
		parts = append(parts, text[:n])
		text = text[n:]
	}
	return parts
}

// alphabet has characters of every class, the ones that patterns name more often than others.
var alphabet = strings.Split("a b s t re ve m ll d S T RE VE LL D A B ' ' ' ſ K é Ü ß ǅ ʰ ª あ ー 人 龥 鿿 한 ㄱ ࠀ ا क ि ् ́ ⃝ ️ 1 2 3 4 0 ٣ ½ Ⅷ "+
	". , ! ? / ( ) - _ \" # @ $ + ^ ` | < = > ~ ¿ 。 、 　 ！ ～ … € ™ 🙂 \u200d \u200b \x00 \x1f \u0378 \U000e0001 𐐀 𝟘 µ ℵ", " ")

func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(24) {
		switch r.IntN(6) {
		case 0, 1:
			b.WriteString([]string{" ", " ", "  ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u2003", "\u0085", "\v"}[r.IntN(11)])
		default:
			b.WriteString(alphabet[r.IntN(len(alphabet))])
		}
	}
	return b.String()
}

func TestScannersEqualTheirPatterns(t *testing.T) {
	texts := fixtureTexts(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		texts = append(texts, randomText(r))
	}
	for name, list := range patterns {
		t.Run(name, func(t *testing.T) {
			var engines []*regexp2.Regexp
			for _, p := range list {
				engine := regexp2.MustCompile(p)
				engine.MatchTimeout = 10 * time.Second
				engines = append(engines, engine)
			}
			for _, text := range texts {
				want := splitAll([]string{text}, engines, func(e *regexp2.Regexp, s string) []string { return splitPattern(t, e, s) })
				got := splitAll([]string{text}, preTokenizers[name].split, splitParts)
				if !slices.Equal(got, want) {
					t.Fatalf("%q is cut\n%q, want\n%q", text, got, want)
				}
			}
		})
	}
}

// fixtureTexts are the texts of the fixtures where they are at hand, and a few of our own.
func fixtureTexts(t *testing.T) []string {
	texts := []string{
		"Don't WE'LL it's 'tis 'S 'ſ x'VE", "CamelCaseWord HTTPServer iPhone ÀÉÎ", "a  b\n\n\tc   \r\n d ", "1234567 12,345.67 ٣٤٥٦",
		"e\u0301\u0301 \u0301A \u0301\u0301BC あB あBC ǅa", "!foo ?!bar/\n//x\r\n", "人人生而自由 すべて。　한국어 x",
	}
	paths, err := filepath.Glob(filepath.Join("..", "..", "shared", "conformance", "*", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths[:min(1, len(paths))] {
		var golden struct {
			Cases []struct{ Text string } `json:"tokenizer_cases"`
		}
		readJSON(t, path, &golden)
		for _, c := range golden.Cases {
			texts = append(texts, c.Text)
		}
	}
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// TestScannersAreLinear: 256 KiB of anything take milliseconds; what is quadratic takes minutes.
func TestScannersAreLinear(t *testing.T) {
	for _, unit := range []string{" ", "a", "\n", " \n", "'", "あB", "\x00", "\t ", "1", "!", "\u0301", "A"} {
		text := strings.Repeat(unit, 1<<18/len(unit))
		for name := range patterns {
			start := time.Now()
			parts := splitAll([]string{text}, preTokenizers[name].split, splitParts)
			if strings.Join(parts, "") != text || slices.Contains(parts, "") {
				t.Errorf("%s: parts of %q do not make up the text", name, unit)
			}
			// Linear is a tenth of a second, quadratic half a minute and more: between lies what a busy machine may add.
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%s takes %v for 256 KiB of %q", name, took, unit)
			}
		}
	}
}
