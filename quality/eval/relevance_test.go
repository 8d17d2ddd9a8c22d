package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
)

// This file owns tests of relevance: what is held against what, and when there is none.

// seer is a parrot that tells states by a text's letters a, b and c: how many there are of each, less four of each that is in upper case.
type seer struct {
	parrot
	embed func(text string) error // nil: it tells of all
	by    string
	seen  atomic.Int64
}

func (p *seer) Embed(_ context.Context, text string) (State, error) {
	p.seen.Add(1)
	if p.embed != nil {
		if err := p.embed(text); err != nil {
			return State{}, err
		}
	}
	if strings.TrimSpace(text) == "" {
		return State{}, nil
	}
	state := []float32{0.5, 0, 0}
	for i, letter := range []string{"a", "b", "c"} {
		state[i] += float32(strings.Count(text, letter) - 4*strings.Count(text, strings.ToUpper(letter)))
	}
	return State{state, p.by}, nil
}

func relevancesOf(t *testing.T, p *seer, lines ...string) (*Run, *Report) {
	t.Helper()
	r := related(t, p, lines...)
	return r, reportOf(t, r)
}

// related is a run whose relevance is measured by who answers.
func related(t *testing.T, p *seer, lines ...string) *Run {
	t.Helper()
	r := begin(t, read(t, lines...), &p.parrot, 2)
	if err := r.Relate(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRelevance(t *testing.T) {
	p := &seer{parrot: parrot{say: echo}}
	_, r := relevancesOf(t, p,
		`{"id":"same","input":"ab","references":["ab"],"kind":"qa"}`,
		`{"id":"best of two","input":"bb","references":["cc","bbb","a"],"kind":"text"}`,
		`{"id":"its question","input":"aabc","kind":"edge","checks":[{"check":"asks"}]}`,
		`{"id":"opposite","input":"bb","references":["B"],"kind":"translation"}`,
		`{"id":"nothing said","input":"  ","references":["b"],"kind":"qa"}`,
		`{"id":"a choice","input":"a","choices":["a","b"],"answer":0,"kind":"choice"}`)
	cosine := func(x, y [3]float64) float64 {
		dot := func(x, y [3]float64) float64 { return x[0]*y[0] + x[1]*y[1] + x[2]*y[2] }
		return dot(x, y) / (math.Sqrt(dot(x, x)) * math.Sqrt(dot(y, y)))
	}
	want := []float64{1, cosine([3]float64{.5, 2, 0}, [3]float64{.5, 3, 0}), 1, cosine([3]float64{.5, 2, 0}, [3]float64{.5, -4, 0}), 0}
	sum := 0.0
	for i, w := range want {
		got := r.Items[i].Relevance
		if got == nil {
			t.Fatalf("%s has none", r.Items[i].ID)
		}
		equal(t, r.Items[i].ID, *got, w)
		sum += w
	}
	if r.Items[5].Relevance != nil || want[3] > -0.9 {
		t.Errorf("of a choice: %v", *r.Items[5].Relevance)
	}
	if s := r.Scores["relevance"]; s.N != 5 || s.Low == nil || *s.Low < -1 || *s.High > 1 {
		t.Errorf("%+v", s)
	}
	equal(t, "mean", r.Scores["relevance"].Value, sum/5)
}

// An item without an answer has 0, as an empty one has, and so has what the model can't read.
func TestRelevanceOfWhatIsRefused(t *testing.T) {
	long := func(text string) error {
		if len(text) > 20 {
			return &RefusedError{errors.New("too long")}
		}
		return nil
	}
	p := &seer{parrot: parrot{say: func(text string) (Reply, error) {
		if text == "no" {
			return Reply{}, &RefusedError{errors.New("no")}
		}
		return echo(text)
	}}, embed: long}
	_, r := relevancesOf(t, p,
		`{"id":"refused","input":"no","references":["b"],"kind":"qa"}`,
		`{"id":"long answer","input":"bbbbbbbbbbbbbbbbbbbbbbbbb","references":["b"],"kind":"qa"}`,
		`{"id":"long reference","input":"b","references":["bbbbbbbbbbbbbbbbbbbbbbbbb"],"kind":"qa"}`,
		`{"id":"right","input":"b","references":["b"],"kind":"qa"}`)
	for i, want := range []float64{0, 0, 0, 1} {
		if got := r.Items[i].Relevance; got == nil || math.Abs(*got-want) > 1e-12 {
			t.Errorf("%s: %v, want %v", r.Items[i].ID, got, want)
		}
	}
	if r.Failed != 1 || r.Scores["relevance"].N != 4 {
		t.Errorf("%d failed, %+v", r.Failed, r.Scores["relevance"])
	}
}

// Of an answerer that tells no states there is no relevance, and its journal is another, as by other states; any other error ends the run.
func TestWithoutRelevance(t *testing.T) {
	line := `{"id":"a","input":"a","references":["a"],"kind":"qa"}`
	told, _ := relevancesOf(t, &seer{parrot: parrot{say: echo}}, line)
	for _, cause := range []error{fmt.Errorf("404: %w", ErrNoStates), &RefusedError{errors.New("no embeddings")}} {
		r, report := relevancesOf(t, &seer{parrot: parrot{say: echo}, embed: func(string) error { return cause }}, line)
		if _, has := report.Scores["relevance"]; has || report.Items[0].Relevance != nil || r.Key() == told.Key() {
			t.Errorf("%v: %+v, key %s", cause, report.Items[0], r.Key())
		}
	}
	if by, _ := relevancesOf(t, &seer{parrot: parrot{say: echo}, by: "another"}, line); by.Key() == told.Key() {
		t.Error("the journal is the same by other states")
	}
	broken := errors.New("broken")
	p := &seer{parrot: parrot{say: echo}, embed: func(text string) error {
		if text == "a" {
			return broken
		}
		return nil
	}}
	r := related(t, p, line)
	if _, err := r.Outcomes(t.Context(), nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// What could not be told of one item is missing of that one, which is scored by all else; a model that was replaced ends the run.
func TestRelevanceGoesMissing(t *testing.T) {
	lines := []string{`{"id":"a","input":"a","references":["a"],"kind":"qa"}`, `{"id":"b","input":"b","references":["b"],"kind":"qa"}`, `{"id":"c","input":"c","references":["b"],"kind":"qa"}`}
	p := &seer{parrot: parrot{say: echo}, embed: func(text string) error {
		if text == "b" {
			return fmt.Errorf("%w: 500", ErrNoStates)
		}
		return nil
	}}
	_, r := relevancesOf(t, p, lines...)
	if r.Items[0].RelevanceMissing != "" || *r.Items[0].Relevance != 1 || r.RelevanceMissing != 2 || r.Scores["relevance"].N != 1 || r.Scores["exact"].N != 3 || r.Failed != 0 {
		t.Errorf("%+v", r)
	}
	for _, o := range r.Items[1:] {
		if o.Relevance != nil || !strings.HasSuffix(o.RelevanceMissing, ": 500") {
			t.Errorf("%+v", o)
		}
	}
	p = &seer{parrot: parrot{say: echo}, by: "n1"}
	run := related(t, p, lines...)
	p.by = "n2"
	if _, err := run.Outcomes(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "a state is of n2, the run began with those of n1") {
		t.Errorf("%v", err)
	}
}

// What answers are held against is read once, however often an item is asked.
func TestReferencesAreReadOnce(t *testing.T) {
	p := &seer{parrot: parrot{say: echo}}
	r := related(t, p, `{"id":"a","input":"a","references":["x","y"],"kind":"qa"}`, `{"id":"b","input":"b","references":["y"],"kind":"qa"}`)
	r.Settings.Repeats, r.Clients = 5, 1
	before := p.seen.Load()
	report := reportOf(t, r)
	if n := p.seen.Load() - before; n != 2*5+2 || report.Scores["relevance"].N != 2 {
		t.Errorf("%d texts were read, want 10 answers and 2 references; %+v", n, report.Scores)
	}
	r.states.bytes, r.states.known = mostStates, map[string][]float32{}
	before = p.seen.Load()
	if reportOf(t, r); p.seen.Load()-before != 10+15 || len(r.states.known) != 0 {
		t.Errorf("%d texts were read without room to keep any, %d are kept", p.seen.Load()-before, len(r.states.known))
	}
}

// Relevance compares with that by the same states alone; else the report says why it does not.
func TestCompareRelevance(t *testing.T) {
	var lines []string
	for i, input := range []string{"ab", "ba", "abb", "baa", "abab", "baba", "abba", "baab"} { // of fewer that differ nothing is sure
		lines = append(lines, fmt.Sprintf(`{"id":"%d","input":%q,"references":["%c"],"kind":"qa"}`, i, input, "ab"[i%2]))
	}
	by := func(name, says string) (*Run, *Report) {
		return relevancesOf(t, &seer{parrot: parrot{say: func(string) (Reply, error) { return echo(says) }}, by: name}, lines...)
	}
	_, before := by("n1", "ab")
	for name, want := range map[string]string{"n1": "", "n2": "the baseline's was measured by the states of n1, this one by those of n2"} {
		r, report := by(name, "c")
		if err := r.Compare(report, baselineOf(t, before)); err != nil {
			t.Fatal(err)
		}
		b := report.Baseline
		if _, compared := b.Difference["relevance"]; report.RelevanceBy != name || b.NotCompared["relevance"] != want || compared != (want == "") || (strings.Join(b.Worse, " ") == "relevance") != compared {
			t.Errorf("%s: %+v", name, b)
		}
	}
	r, report := by("n1", "c")
	old := baselineOf(t, before)
	if old.RelevanceBy = ""; r.Compare(report, old) != nil || !strings.Contains(report.Baseline.NotCompared["relevance"], "of nobody knows whom") {
		t.Errorf("a baseline that does not say: %+v", report.Baseline)
	}
	_, nameless := by("", "ab")
	if r, report = by("", "c"); r.Compare(report, baselineOf(t, nameless)) != nil || report.Baseline.NotCompared["relevance"] == "" {
		t.Errorf("nobody says by whose states: %+v", report.Baseline)
	}
	unrelated := begin(t, read(t, lines...), &parrot{say: echo}, 1)
	if report = reportOf(t, unrelated); unrelated.Compare(report, baselineOf(t, before)) != nil || report.Baseline.NotCompared["relevance"] != "this run has none" {
		t.Errorf("a run without: %+v", report.Baseline)
	}
	r, report = by("n1", "c")
	for i := range old.Items {
		old.Items[i].Relevance = nil
	}
	if r.Compare(report, old) != nil || report.Baseline.NotCompared["relevance"] != "the baseline has none" {
		t.Errorf("a baseline without: %+v", report.Baseline)
	}
}

// Metrics that nobody wants are not measured, and what they take is not computed.
func TestMetricsThatAreWanted(t *testing.T) {
	lines := []string{`{"id":"a","input":"a b","references":["a b c"],"kind":"qa"}`, `{"id":"b","input":"b","references":["b"],"kind":"qa"}`}
	p := &seer{parrot: parrot{say: echo}}
	r := begin(t, read(t, lines...), &p.parrot, 1)
	r.Metrics, r.Settings.Repeats = []string{"f1", "bleu"}, 2
	if err := r.Relate(t.Context(), p); err != nil || p.seen.Load() != 0 || r.WantsReader() {
		t.Errorf("%v: %d texts were read", err, p.seen.Load())
	}
	report := reportOf(t, r)
	if got := strings.Join(report.Scores.Names(), " "); got != "f1" || report.Consistency != nil || report.Items[0].Relevance != nil {
		t.Errorf("%q: %+v", got, report)
	}
	b := baselineOf(t, report)
	all := begin(t, read(t, lines...), &p.parrot, 1)
	all.Settings.Repeats = 2
	whole := reportOf(t, all)
	if err := all.Compare(whole, b); err != nil || len(whole.Baseline.NotCompared) != 0 || len(whole.Baseline.Difference) != 3 {
		t.Errorf("answers are scored anew, whatever was wanted of the baseline: %v, %+v", err, whole.Baseline)
	}
	if names := strings.Join(MetricNames(), " "); names != "acc acc_norm bleu chrf consistency ece exact f1 fluency properties relevance rouge-l" {
		t.Error(names)
	}
}
