package daemon

import (
	"compress/gzip"
	"encoding/csv"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/quality/eval"
	"chimera/quality/score"
	"chimera/quality/suite"
	"chimera/tokenizer"
)

// This file owns what a line of the translation model's test suite is worth to suites of each kind: the counts of all metrics that runs of suites are watched
// by, so that what watches them can be simulated as it is.

// reading is a model that reads lines.
type reading struct {
	*evaluator
	tok *tokenizer.Tokenizer
}

// state is what the model makes of a text, without the scheduler: the mean of its tokens' states, which are read in small pieces.
func (r reading) state(t *testing.T, text string) []float32 {
	t.Helper()
	ids, before := r.tok.Encode(text, false, false), 0
	if r.tok.AddsBOS() {
		ids, before = append([]int32{r.tok.BOS()}, ids...), 1
	}
	sum := make([]float64, r.in.Limits().TapWidth)
	for first := 0; first < len(ids); first += 5 {
		piece := ids[first:min(first+5, len(ids))]
		var outputs []engine.Output
		for row := range piece {
			outputs = append(outputs, engine.Output{Row: int32(row), Mode: engine.Tapped})
		}
		if err := r.step(piece, first, outputs); err != nil {
			t.Fatal(err)
		}
		for i := range outputs {
			for k, x := range r.batch.TapsOf(i) {
				if first+i >= before {
					sum[k] += float64(x)
				}
			}
		}
	}
	mean := make([]float32, len(sum))
	for k, x := range sum {
		mean[k] = float32(x / float64(len(ids)-before))
	}
	return mean
}

// likelihood is the natural log-probability of an answer behind a prompt.
func (r reading) likelihood(t *testing.T, prompt, answer []int32) (sum float64) {
	t.Helper()
	list, err := r.scores(slices.Concat(prompt, answer), len(prompt)-1)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		sum += min(0, l)
	}
	return sum
}

// lineMetrics are those of a line in order, with what each kind of suite is judged by; agreement stands before them.
var lineMetrics = []string{"chrf", "bleu", "exact", "f1", "rouge-l", "properties", "fluency", "relevance", "acc", "acc_norm", "ece"}

// judged are the counts of a line's metrics: answer has its end, said is its text, wrong another text that it could be.
func (line *translation) judged(t *testing.T, served, source reading, answer []int32, said, wrong string) map[string][]float64 {
	t.Helper()
	all := map[string][]float64{}
	for _, name := range []string{"chrf", "bleu", "exact", "f1", "rouge-l"} {
		m, err := score.New(name, "")
		if err != nil {
			t.Fatal(err)
		}
		all[name] = m.Counts(said, []string{line.text})
	}
	words := strings.Fields(line.text)
	checked := suite.Item{Checks: []suite.Check{
		{Name: "contains", Any: words[:1]}, {Name: "contains", Any: words[len(words)-1:]}, {Name: "words", Words: len(words)},
	}}
	all["properties"] = []float64{float64(checked.Passes(said)) / float64(len(checked.Checks)), 1}
	var err error
	if all["fluency"], err = score.FluencyCounts(source.likelihood(t, line.prompt, answer), len(answer)); err != nil {
		t.Fatal(err)
	}
	near := 0.0
	if said != "" {
		if near, err = score.Relevance(source.state(t, said), source.state(t, line.text)); err != nil {
			t.Fatal(err)
		}
	}
	all["relevance"] = []float64{near, 1}
	line.choose(t, served, wrong, all)
	for _, counts := range all {
		for i, x := range counts {
			counts[i] = math.Round(x*1e4) / 1e4
		}
	}
	return all
}

// choose adds what is counted of a choice between the line's translation and a wrong one.
func (line *translation) choose(t *testing.T, served reading, wrong string, all map[string][]float64) {
	t.Helper()
	right := score.Choice{Text: line.text, LogProbability: served.likelihood(t, line.prompt, line.reference[:len(line.reference)-1])}
	other := score.Choice{Text: wrong, LogProbability: served.likelihood(t, line.prompt, served.tok.Encode(wrong, false, false))}
	chosen, err := score.Choose([]score.Choice{right, other}, 0)
	if err != nil {
		t.Fatal(err)
	}
	one := func(yes bool) []float64 {
		if yes {
			return []float64{1, 1}
		}
		return []float64{0, 1}
	}
	all["acc"], all["acc_norm"] = one(chosen.Acc), one(chosen.AccNorm)
	sure := 1 / (1 + math.Exp(-math.Abs(right.LogProbability-other.LogProbability)))
	if all["ece"], err = score.CalibrationCounts(sure, chosen.Acc); err != nil {
		t.Fatal(err)
	}
}

// garbled are the texts that stand beside each line's as a wrong choice: its own with two words in each other's place, or of one word another line's.
func garbled(lines []translation) (list []string) {
	for i, line := range lines {
		words := strings.Fields(line.text)
		if at := len(words)/2 - 1; len(words) > 1 && words[at] != words[at+1] {
			words[at], words[at+1] = words[at+1], words[at]
			list = append(list, strings.Join(words, " "))
			continue
		}
		next := lines[(i+1)%len(lines)].text
		if next == line.text {
			next += " " + next
		}
		list = append(list, next)
	}
	return list
}

// Whatever suites are watched by is simulated: with a metric more, what alarms are raised by chance has to be measured anew.
func TestWatchedMetricsAreSimulated(t *testing.T) {
	file, err := os.Open(runsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	head, err := csv.NewReader(z).Read()
	if err != nil {
		t.Fatal(err)
	}
	watched := []string{agreement}
	for _, name := range eval.MetricNames() {
		if name != "consistency" { // a daemon asks each item once
			watched = append(watched, name)
		}
	}
	for _, name := range watched {
		if !slices.Contains(head[2:], name) {
			t.Errorf("%s is watched and not simulated: the values are of %v", name, head[2:])
		}
	}
	if len(head)-2 != len(watched) || !slices.Equal(head[3:], lineMetrics) {
		t.Errorf("%v are simulated, %v watched", head[2:], watched)
	}
}
