package daemon

import (
	"cmp"
	"math"
	"slices"

	"chimera/api"
	group "chimera/quality/control"
)

// This file owns what GET /v1/quality shows of the control group.

// qualityControl is how all models' answers go with their controls'.
func (all *runtimes) qualityControl() (list []api.QualityControl) {
	for _, r := range all.list {
		c := all.live.shown(r.name)
		all.mu.Lock()
		if asked := r.watched.canaries; !asked.at.IsZero() {
			c.Canaries = &api.QualityCanaries{
				Time: asked.at, Tier: asked.tier, Asked: asked.asked, Changed: len(asked.changed), CachedTokens: asked.cached, ChangedByCache: len(asked.unlike),
			}
		}
		all.mu.Unlock()
		if g := all.guardian; g != nil && len(g.suites) > 0 {
			c.NextSuite = g.next.Load()
		}
		list = append(list, c)
	}
	return list
}

// shown is what is known of a model's live answers.
func (l *liveGroup) shown(model string) api.QualityControl {
	c := api.QualityControl{Model: model, Share: math.Float64frombits(l.share.Load()), Requests: []api.QualityCount{}}
	l.mu.Lock()
	m := l.models[model]
	if m == nil {
		l.mu.Unlock()
		return c
	}
	for tag, n := range m.counts.ByTag() {
		c.Requests = append(c.Requests, api.QualityCount{Tag: tag, Drawn: n.Drawn, Scored: n.Scored, Waiting: n.Waiting(), Lost: n.Lost})
	}
	if !m.lastAt.IsZero() {
		c.Last = &api.QualityEstimates{Until: new(m.lastAt), Numerics: m.lastOf, Requests: m.lastRequests, Metrics: shownEstimates(m.last)}
	}
	now, numerics := m.window.Clone(), m.numerics
	l.mu.Unlock()
	slices.SortFunc(c.Requests, func(a, b api.QualityCount) int { return cmp.Compare(a.Tag, b.Tag) })
	if now.Requests() > 0 {
		estimates, err := now.Overall() // which takes some milliseconds
		if err != nil {
			estimates = nil
		}
		c.Window = &api.QualityEstimates{Numerics: numerics, Requests: now.Requests(), Metrics: shownEstimates(estimates)}
	}
	return c
}

func shownEstimates(list []group.Estimate) []api.QualityEstimate {
	shown := []api.QualityEstimate{}
	for _, e := range list {
		shown = append(shown, api.QualityEstimate{Metric: e.Metric, Tag: e.Tag, Value: e.Estimate, Low: e.Low, High: e.High, N: e.Requests})
	}
	return shown
}
