package stats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"chimera/quality/score"
	"chimera/quality/stats"
)

// This file holds the resampling to a score that is no mean: BLEU, of counts and of texts.

// corpus is what two systems answered to requests of three segments each, the first of them better.
type corpus struct {
	better, worse []string
	references    [][]string
	request       []int
}

func madeUp(segments int) (c corpus) {
	rng := rand.New(rand.NewPCG(2, 7))
	answer := func(reference []string, errors float64) string {
		said := strings.Fields(strings.Join(reference, " "))
		for i := range said {
			if rng.Float64() < errors {
				said[i] = "wrong"
			}
		}
		return strings.Join(said, " ")
	}
	for i := range segments {
		var reference []string
		for range 5 + rng.IntN(20) {
			reference = append(reference, fmt.Sprint("word", rng.IntN(50)))
		}
		c.better, c.worse = append(c.better, answer(reference, 0.2)), append(c.worse, answer(reference, 0.35))
		c.references, c.request = append(c.references, []string{strings.Join(reference, " ")}), append(c.request, i/3)
	}
	return c
}

func counts(m score.Metric, hypotheses []string, references [][]string) (rows [][]float64) {
	for i, h := range hypotheses {
		rows = append(rows, m.Counts(h, references[i]))
	}
	return rows
}

func TestBLEUIsResampled(t *testing.T) {
	c := madeUp(180)
	m, err := score.New("bleu", "")
	if err != nil {
		t.Fatal(err)
	}
	of := func(hypotheses []string, references [][]string) float64 {
		r, err := score.Corpus(m, hypotheses, references, false)
		if err != nil {
			t.Fatal(err)
		}
		return r.Score
	}
	a, b := counts(m, c.better, c.references), counts(m, c.worse, c.references)
	i, err := stats.PairedBootstrap(a, b, c.request, m.Score, stats.Resampling{Seed: 1, Count: 1000})
	if want := of(c.better, c.references) - of(c.worse, c.references); err != nil || math.Abs(i.Estimate-want) > 1e-9 || i.Low <= 0 || i.High <= want {
		t.Errorf("%+v, %v, want %v", i, err, want)
	}
	p, err := stats.PairedPermutation(a, b, c.request, m.Score, stats.Resampling{Seed: 1, Count: 999})
	if err != nil || p != 0.001 {
		t.Errorf("p %v, %v", p, err)
	}

	// The same by texts: requests are drawn, and their texts scored anew. As many of these lie outside of the interval as should.
	rng := rand.New(rand.NewPCG(4, 4))
	single, err := stats.Bootstrap(a, c.request, m.Score, stats.Resampling{Seed: 9, Count: 1000})
	if err != nil {
		t.Fatal(err)
	}
	below, above := 0, 0
	const replicates = 400
	for range replicates {
		var hypotheses []string
		var references [][]string
		for range 60 {
			first := 3 * rng.IntN(60)
			hypotheses, references = append(hypotheses, c.better[first:first+3]...), append(references, c.references[first:first+3]...)
		}
		switch s := of(hypotheses, references); {
		case s < single.Low:
			below++
		case s > single.High:
			above++
		}
	}
	if below < 2 || below > 22 || above < 2 || above > 22 { // 10 of each are expected, give or take 3
		t.Errorf("of %d corpora drawn as texts %d lie below %+v and %d above", replicates, below, single, above)
	}
}

func BenchmarkPairedBootstrap(b *testing.B) {
	c := madeUp(1000)
	m, err := score.New("bleu", "")
	if err != nil {
		b.Fatal(err)
	}
	rows, others := counts(m, c.better, c.references), counts(m, c.worse, c.references)
	for b.Loop() {
		if _, err := stats.PairedBootstrap(rows, others, c.request, m.Score, stats.Resampling{}); err != nil {
			b.Fatal(err)
		}
	}
}
