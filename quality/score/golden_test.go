package score

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// This file holds the metrics to scores that their reference programs gave; scripts/score_fixture.py made them.

type goldenCase struct {
	Hypothesis string
	References []string
	BLEU       map[string]float64
	ChrF       float64
	RougeL     float64 `json:"rouge-l"`
	Exact, F1  float64
}

type goldenCorpus struct {
	References int
	Scores     map[string]float64
	Signatures map[string]string
}

type golden struct {
	Cases   []goldenCase
	Corpora []goldenCorpus
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/scores.json")
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil || len(g.Cases) < 60 || len(g.Corpora) != 2 {
		t.Fatal(len(g.Cases), err)
	}
	return g
}

// near allows for what exp and log may differ by.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-11*max(1, math.Abs(a)) }

func metric(t testing.TB, name, tokenizer string) Metric {
	t.Helper()
	m, err := New(name, tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGolden(t *testing.T) {
	check := func(c goldenCase, m Metric, of string, want float64) {
		t.Helper()
		if got := m.Sentence(m.Counts(c.Hypothesis, c.References)); !near(got, want) {
			t.Errorf("%s of %q against %q: %v, want %v", of, c.Hypothesis, c.References, got, want)
		}
	}
	for _, c := range readGolden(t).Cases {
		for _, tokenizer := range Tokenizers() {
			check(c, metric(t, "bleu", tokenizer), "bleu "+tokenizer, c.BLEU[tokenizer])
		}
		check(c, metric(t, "chrf", ""), "chrf", c.ChrF)
		check(c, metric(t, "rouge-l", ""), "rouge-l", c.RougeL)
		check(c, metric(t, "exact", ""), "exact", c.Exact)
		check(c, metric(t, "f1", ""), "f1", c.F1)
	}
}

func TestGoldenCorpora(t *testing.T) {
	g := readGolden(t)
	for _, corpus := range g.Corpora {
		hypotheses, references := firstReferences(g.Cases, corpus.References)
		for key, want := range corpus.Scores {
			name, tokenizer, _ := strings.Cut(key, " ")
			r, err := Corpus(metric(t, name, tokenizer), hypotheses, references, false)
			if err != nil || !near(r.Score, want) || r.N != len(hypotheses) {
				t.Errorf("%s of %d references: %+v, %v, want %v", key, corpus.References, r, err, want)
			}
			signature, _, _ := strings.Cut(corpus.Signatures[key], "|version:")
			if signature += "|version:" + Version; r.Signature != signature {
				t.Errorf("signature %s, want %s", r.Signature, signature)
			}
		}
	}
}

func firstReferences(cases []goldenCase, n int) (hypotheses []string, references [][]string) {
	for _, c := range cases {
		if len(c.References) >= n {
			hypotheses = append(hypotheses, c.Hypothesis)
			references = append(references, c.References[:n])
		}
	}
	return hypotheses, references
}

// The mean of what segments score, and the signatures of metrics that sacrebleu has none for.
func TestMeans(t *testing.T) {
	hypotheses, references := []string{"the cat", "a dog runs", ""}, [][]string{{"cat"}, {"dog sleeps"}, {"x"}}
	for name, want := range map[string]struct {
		score     float64
		signature string
	}{
		"exact":   {1.0 / 3, "nrefs:1|norm:squad-v1.1|version:chimera-1"},
		"f1":      {(1 + 0.5) / 3, "nrefs:1|norm:squad-v1.1|version:chimera-1"},
		"rouge-l": {(2.0/3 + 2.0/5) / 3, "nrefs:1|stem:no|version:chimera-1"},
	} {
		r, err := Corpus(metric(t, name, ""), hypotheses, references, true)
		if err != nil || !near(r.Score, want.score) || r.Signature != want.signature || len(r.Sentences) != 3 || r.Metric != name {
			t.Errorf("%s: %+v, %v, want %+v", name, r, err, want)
		}
	}
}

func TestCorpusRefuses(t *testing.T) {
	bleu := metric(t, "bleu", "")
	for _, c := range []struct {
		hypotheses []string
		references [][]string
		want       string
	}{
		{nil, nil, "no segment"},
		{[]string{"a"}, nil, "1 hypotheses have 0 lists of references"},
		{[]string{"a"}, [][]string{{}}, "segment 1 has 0 references"},
		{[]string{"a", "b"}, [][]string{{"a"}, {"b", "c"}}, "segment 2 has 2 references and segment 1 has 1"},
		{[]string{"a", "b"}, [][]string{{"a", "b"}, {"c"}}, "segment 2 has 1 references and segment 1 has 2"},
	} {
		if _, err := Corpus(bleu, c.hypotheses, c.references, true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.references, err, c.want)
		}
	}
	for _, c := range []struct{ name, tokenizer, want string }{
		{"blue", "", `metric "blue": use bleu, chrf, rouge-l, exact or f1`},
		{"bleu", "14a", `tokenizer "14a": use 13a, intl, char, zh or none`},
		{"chrf", "13a", `only bleu has a choice`},
	} {
		if _, err := New(c.name, c.tokenizer); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// TestCountsAdd holds the sums to what they are for: the parts of a corpus give the whole's score.
func TestCountsAdd(t *testing.T) {
	g := readGolden(t)
	hypotheses, references := firstReferences(g.Cases, 1)
	for _, name := range Metrics() {
		m := metric(t, name, "")
		whole, err := Corpus(m, hypotheses, references, false)
		var sums [3][]float64
		for i, h := range hypotheses {
			sums[i%3] = added(sums[i%3], m.Counts(h, references[i]))
		}
		if got := m.Score(added(added(sums[2], sums[0]), sums[1])); err != nil || !near(got, whole.Score) {
			t.Errorf("%s: %v by parts, %v, %v", name, got, whole, err)
		}
	}
}

func BenchmarkCorpus(b *testing.B) {
	const n = 10_000
	var hypotheses []string
	var references [][]string
	words := strings.Fields("The cat, which sat on a mat (of 3.5 metres) in 2010, isn't well-known; die Katze saß auf der Matte. Übrigens: 100 € &amp; mehr")
	for i := range n {
		var h, r []string
		for j := range 8 + i%21 {
			r = append(r, words[(i*7+j*j)%len(words)])
			if (i+j)%5 > 0 {
				h = append(h, r[j])
			}
		}
		hypotheses, references = append(hypotheses, strings.Join(h, " ")), append(references, []string{strings.Join(r, " ")})
	}
	for _, name := range []string{"bleu 13a", "bleu intl", "bleu zh", "chrf", "rouge-l", "f1"} {
		b.Run(strings.ReplaceAll(name, " ", "-")+fmt.Sprint("/", n), func(b *testing.B) {
			metricName, tokenizer, _ := strings.Cut(name, " ")
			for b.Loop() {
				if _, err := Corpus(metric(b, metricName, tokenizer), hypotheses, references, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
