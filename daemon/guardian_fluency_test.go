package daemon

import (
	"io"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"chimera/api"
	"chimera/client"
	"chimera/client/answerer"
	"chimera/config"
	"chimera/internal/fixtures"
	"chimera/loader"
	"chimera/quality/eval"
	"chimera/quality/suite"
)

// This file owns tests of how fluent answers are under the control, held against what the offline verbs compute.

// perplexity is that of answers behind their prompts, by a model file alone.
func perplexity(t *testing.T, path string, o loader.Options, answers []pinnedAnswer) float64 {
	t.Helper()
	o.Tier = api.SourceTier
	l, err := loader.Load(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, err := newEvaluator(l.Instance)
	if err != nil {
		t.Fatal(err)
	}
	sum, tokens := 0.0, 0
	for _, a := range answers {
		list, err := e.scores(slices.Concat(a.prompt, a.Tokens), len(a.prompt)-1)
		if err != nil || len(list) != len(a.Tokens) {
			t.Fatalf("%d of %d tokens: %v", len(list), len(a.Tokens), err)
		}
		for _, l := range list {
			sum, tokens = sum+l, tokens+1
		}
	}
	return math.Exp(-sum / float64(tokens))
}

func close6(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Abs(b) }

// The control reads what tier and source have answered to both halves. Where there is no control, all else is measured.
func TestSuitesAreRead(t *testing.T) {
	r := small(t, "q3_k", 40, func(c *config.Config) { c.Quality.Suites = []string{wordsInHalves(t, 40)} })
	r.watch()
	r.published()
	rows, g, m := r.scores(), r.models.guardian, r.models.list[0]
	r.models.mu.Lock()
	tier, source := m.watched.known["q3_k"].runs[0], m.watched.known["source"].runs[0]
	r.models.mu.Unlock()
	path, o := r.config.Model[0].Path, loader.OptionsOf(&r.config)
	for name, done := range map[string]*suiteRun{"q3_k": tier, "source": source} {
		s := row(rows, "fluency", "tuning", name)
		if want := perplexity(t, path, o, done.asked); !close6(s.Value, want) || s.N != 40 || !(s.Low < s.Value && s.Value < s.High) || !(s.Value > 1) {
			t.Errorf("%s: %+v, the model file alone has %v", name, s, want)
		}
		if all, sealed := row(rows, "fluency", "", name), row(rows, "fluency", "sealed", name); all.N != 80 || sealed.N != 40 || !(math.Min(s.Value, sealed.Value) <= all.Value && all.Value <= math.Max(s.Value, sealed.Value)) {
			t.Errorf("%s: whole %+v, sealed %+v", name, all, sealed)
		}
	}
	if tier, source := row(rows, "fluency", "", "q3_k"), row(rows, "fluency", "", "source"); tier.Value == source.Value {
		t.Errorf("both have %v", tier.Value)
	}
	if of := source.report.Who.Numerics; tier.report.RelevanceBy != of || source.report.RelevanceBy != of || tier.report.Who.Numerics == of || tier.report.Scores["relevance"].N != 40 {
		t.Errorf("relevance is by the states of %q and of %q, the source is %q", tier.report.RelevanceBy, source.report.RelevanceBy, of)
	}
	r.models.mu.Lock()
	r.models.short = append(r.models.short, m) // so that there is no control
	up := *m.up.model
	r.models.mu.Unlock()
	up.Ended = nil
	r.models.dropControls(t.Context())
	done, err := askSuite(t.Context(), &up, g.suites[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.readBy(t.Context(), m, done); err != nil || done.read || done.report.Scores["chrf"].N != 40 || done.report.Scores["fluency"].N+done.report.Scores["relevance"].N != 0 {
		t.Errorf("without a control: %v, %+v", err, done.report.Scores)
	}
	r.models.mu.Lock()
	r.models.short = nil
	r.models.mu.Unlock()
	if err := g.readBy(t.Context(), m, nil, done, source); err != nil || !done.read || !close6(done.report.Scores["fluency"].Value, row(rows, "fluency", "tuning", "q3_k").Value) ||
		!close6(done.report.Scores["relevance"].Value, row(rows, "relevance", "tuning", "q3_k").Value) {
		t.Errorf("%v, %+v", err, done.report.Scores)
	}
}

// Live answers are read by the control as they were served: of a source the perplexity is its own.
func TestLiveFluency(t *testing.T) {
	for tier, overall := range map[string]int{"source": 4, "q2_k": 7} {
		t.Run(tier, func(t *testing.T) {
			r := small(t, tier, 20, nil)
			var answers []pinnedAnswer
			var samples []*sample
			r.asksWords(20)
			for range 20 {
				s := r.waitingSample()
				samples = append(samples, s)
				answers = append(answers, pinnedAnswer{prompt: slices.Clone(s.answers[0].request.Prompt), Tokens: slices.Clone(s.answers[0].tokens)})
			}
			r.models.live.mu.Lock()
			for _, s := range samples {
				r.models.live.memory.Add(s)
			}
			r.models.live.mu.Unlock()
			r.watchesLive()
			rows := r.liveRows(overall)
			s, has := rows["fluency "+tier]
			if want := perplexity(t, r.config.Model[0].Path, loader.OptionsOf(&r.config), answers); !has || !close6(s.Value, want) || s.N != 20 || !(s.Low < s.High) {
				t.Errorf("%s: %+v, the model file alone has %v", tier, s, want)
			}
			if _, has := rows["fluency source"]; has != (tier == "source") {
				t.Errorf("at %s the source's own answers are not known: %+v", tier, rows["fluency source"])
			}
		})
	}
}

// The control of a verb's daemon reads the very tokens that were served at the tier, by their answer's name.
func TestPrivateControl(t *testing.T) {
	path := filepath.Join(fixtures.SharedDir(t, "CHIMERA_MT", "mt"), "gguf", "f32.gguf")
	c := fixtures.SmallConfig()
	c.Tiers.Start, c.Ctx = "q2_k", 256
	p, err := ServePrivately(t.Context(), *c, path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}()
	a := &answerer.Server{Client: client.New(p.At)}
	who, err := a.Identify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if name, err := p.Name(t.Context()); err != nil || name == "" || name == who.Numerics {
		t.Errorf("the control is %q, %s answers: %v", name, who.Numerics, err)
	}
	model := p.server.models.list[0].up.model
	for _, line := range devLines(t, 3) {
		turns := []api.Turn{{Role: "user", Content: line}}
		reply, err := a.Answer(t.Context(), []suite.Message{{Role: "user", Content: line}}, eval.Sampling{MaxTokens: 20})
		if err != nil {
			t.Fatal(err)
		}
		reading, err := p.Read(t.Context(), reply)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := model.Ask(t.Context(), turns, 20)
		if err != nil || asked.Text != reply.Text {
			t.Fatalf("%q, asked again %q: %v", reply.Text, asked.Text, err)
		}
		want := perplexity(t, path, loader.OptionsOf(c), []pinnedAnswer{{prompt: asked.Prompt, Tokens: asked.Tokens}})
		if got := math.Exp(-reading.LogProbability / float64(reading.Tokens)); reading.Tokens != len(asked.Tokens) || !close6(got, want) {
			t.Errorf("%q: %+v is %v, the model file alone has %v over %d tokens", line, reading, got, want, len(asked.Tokens))
		}
	}
	if _, err := p.Read(t.Context(), eval.Reply{ID: "none"}); err == nil {
		t.Error("an answer without a name is read")
	}
}
