package daemon

import (
	"maps"
	"math"
	"testing"
	"time"

	"chimera/config"
	"chimera/quality/drift"
	"chimera/quality/suite"
	"chimera/store"
)

// This file owns tests of runs that are held against the one that their series began with.

// What weights have answered first is known item by item after a restart, too; other weights of the same source and tier are held against that, by each metric.
func TestRunsBesideTheirReference(t *testing.T) {
	r := small(t, "q8_0", 200, func(c *config.Config) { c.Quality.Suites = []string{wordsInHalves(t, 40)} })
	r.watch()
	r.published()
	if err := r.history.store.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.models.goldens.seen, r.models.drifts.recalled = nil, false // as in another process
	g, model := r.models.guardian, r.models.list[0]
	was := model.watched.known["q8_0"].runs[0]
	report, run := *was.report, *was.run
	other := &suiteRun{run: &run, report: &report, asked: was.asked, agrees: maps.Clone(was.agrees)}
	other.report.Who.Numerics, other.run.Who.Numerics = "another program's", "another program's"
	lost, tokens := 0.0, 0.0
	for id, row := range was.agrees {
		some := math.Floor(row[1] / 2)
		other.agrees[id], lost, tokens = []float64{row[0] - some, row[1]}, lost+some, tokens+row[1]
	}
	if err := g.besideReference(t.Context(), model, model.up.model, other, 0, "q8_0"); err != nil {
		t.Fatal(err)
	}
	for metric, want := range map[string]float64{"chrf": 0, "fluency": 0, "relevance": 0, agreement: -lost / tokens} {
		change, known := other.change[metric]
		if !known || !(math.Abs(change.Estimate-want) < 1e-9) || !(change.Low <= change.Estimate && change.Estimate <= change.High) {
			t.Errorf("%s: %+v, known %v, want %v", metric, change, known, want)
		}
	}
	if change := other.change[agreement]; !(change.High < 0) {
		t.Errorf("agreement: %+v", change)
	}
	alone := store.Score{Suite: "words", Metric: "exact", Low: 1, High: 3}
	if own, both := standardError(alone), other.errorOf(alone); !(math.Abs(both-own*math.Sqrt2) < 1e-12) {
		t.Errorf("a metric without a reference has the error %v, alone %v", both, own)
	}
	row := store.Score{Time: time.Now(), Model: "m", Suite: g.wholes[0].Name, Digest: g.wholes[0].Digest(), Metric: agreement, Tag: string(suite.Tuning), Tier: "q8_0",
		Value: (tokens - lost) / tokens, Low: 0, High: 1, N: 40, Numerics: "another program's"}
	if d := r.models.addScore(row, other.errorOf(row)); d == nil || d.Detector != drift.Paired {
		t.Errorf("%+v", d)
	}
}
