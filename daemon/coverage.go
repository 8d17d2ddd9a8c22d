package daemon

import (
	"chimera/api"
	"chimera/quality/coverage"
	"chimera/quality/eval"
)

// This file owns what clients ask beside what suites do: of the requests that were drawn, what their prompts are like, and which parts of them suites lack.
// Prompts are looked at as they come and not kept; suites' items are rendered and read as a client's request is, by the same tokenizer.

// coverageDetector is the name by which a part that suites lack is told of, in the way of an alarm.
const coverageDetector = "coverage"

// featuresOf are those of a sample's prompt: of its end, which is what was asked last. What stands before it is often the same for all.
func (l *liveGroup) featuresOf(s *sample) coverage.Features {
	m, _ := l.all.Lookup(s.model)
	if m == nil { // it has just gone
		return coverage.Features{}
	}
	return featuresOf(m, s.answers[0].request.Prompt)
}

func featuresOf(m *api.Model, prompt []int32) coverage.Features {
	return coverage.Describe(m.Tokenizer.Decode(prompt[max(0, len(prompt)-scriptTokens):], false), len(prompt))
}

// itemsOf are the features of all suites' items, as the model reads them. They are made once for each load.
func (g *guardian) itemsOf(m *api.Model) []coverage.Features {
	if g == nil || m == nil {
		return nil
	}
	g.reading.Lock()
	defer g.reading.Unlock()
	if known := g.items[m.Name]; known.of == m.Tokenizer {
		return known.list
	}
	var list []coverage.Features
	for _, s := range g.wholes {
		for i := range s.Items {
			if prompt, err := m.Prompt(turnsOf(eval.Conversation(&s.Items[i]))); err == nil && len(prompt) > 0 {
				list = append(list, featuresOf(m, prompt))
			}
		}
	}
	g.items[m.Name] = itemFeatures{m.Tokenizer, list}
	return list
}

// coverage compares what a model was asked with its suites.
func (l *liveGroup) coverage(model string) (parts []coverage.Part, requests, items int) {
	l.mu.Lock()
	var newest []coverage.Features
	if m := l.models[model]; m != nil {
		newest = m.traffic.Newest()
	}
	l.mu.Unlock()
	m, _ := l.all.Lookup(model)
	of := l.all.guardian.itemsOf(m)
	return coverage.Compare(newest, of), len(newest), len(of)
}

// tellUncovered tells of parts that suites lack, of each once. Topics are not told of: their numbers mean nothing tomorrow.
func (l *liveGroup) tellUncovered(model string) {
	parts, _, _ := l.coverage(model)
	for _, p := range parts {
		if !p.Uncovered || p.Dimension == coverage.Topic || !l.firstTime(model, p.Dimension+" "+p.Value) {
			continue
		}
		l.all.raise(alarm{model: model, series: p.String(), detector: coverageDetector, evidence: shownPart(p)})
	}
}

// firstTime takes note of a part, and tells whether it was not known before.
func (l *liveGroup) firstTime(model, part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.models[model]
	if m == nil || m.named[part] {
		return false
	}
	if m.named == nil {
		m.named = map[string]bool{}
	}
	m.named[part] = true
	return true
}

// qualityCoverage is what all models were asked, beside the suites.
func (all *runtimes) qualityCoverage() (list []api.QualityCoverage) {
	for _, r := range all.list {
		parts, requests, items := all.live.coverage(r.name)
		c := api.QualityCoverage{Model: r.name, Requests: requests, Items: items, Parts: []api.QualityPart{}}
		for _, p := range parts {
			c.Parts = append(c.Parts, shownPart(p))
		}
		list = append(list, c)
	}
	return list
}

func shownPart(p coverage.Part) api.QualityPart {
	return api.QualityPart{Dimension: p.Dimension, Value: p.Value, Share: p.Share, Low: p.Low, High: p.High, Requests: p.Requests, Items: p.Items, Uncovered: p.Uncovered}
}
