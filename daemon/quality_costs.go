package daemon

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"chimera/api"
	"chimera/measure"
	"chimera/store"
)

// This file owns what GET /v1/quality shows of costs, and of how much more could be served.

// Where a knee is looked for: minutes of the last day, and experiments of a quarter of a year, as reports do.
const (
	kneeMinutes     = 24 * time.Hour
	kneeExperiments = 90 * 24 * time.Hour
)

// costs are the sums of a time by model, tier, tenant and class, in that order.
func (h *history) costs(ctx context.Context, a api.Asker, since time.Time) (list []api.QualityCost, err error) {
	type line struct {
		model, tier, class string
		tenant             store.Tenant
	}
	rows := map[line][]store.Cost{}
	for c, err := range h.store.Costs(ctx, store.Span{From: since}) {
		if err != nil {
			return nil, err
		}
		if a.Administers || c.Tenant == h.store.Tenant(a.Tenant) && c.Model != "" { // without a model it is nobody's
			l := line{c.Model, c.Tier, c.Class, c.Tenant}
			rows[l] = append(rows[l], c)
		}
	}
	inOrder := func(a, b line) int {
		return slices.Compare([]string{a.model, a.tier, string(a.tenant[:]), a.class}, []string{b.model, b.tier, string(b.tenant[:]), b.class})
	}
	for _, l := range slices.SortedFunc(maps.Keys(rows), inOrder) {
		p := measure.PriceOf(rows[l])
		list = append(list, api.QualityCost{
			Model: l.model, Tier: l.tier, Tenant: h.named(l.tenant), Class: l.class, Requests: p.Requests, PromptTokens: p.PromptTokens, AnswerTokens: p.AnswerTokens,
			CoreSeconds: known(p.CoreSeconds), OverheadSeconds: known(p.OverheadSeconds), GPUSeconds: known(p.GPUSeconds), CPUJoules: known(p.CPUJoules), GPUJoules: known(p.GPUJoules),
			CoresPrice: known(p.CoreSecondsPerThousand()), EnergyPrice: known(p.JoulesPerThousand()),
		})
	}
	return list, nil
}

// headroom is how far the load since a time is from each model's knee, as it is served now.
func (h *history) headroom(ctx context.Context, all *runtimes, since time.Time) (list []api.QualityHeadroom, err error) {
	now := time.Now()
	windows, err := collected(h.store.Windows(ctx, store.Span{From: now.Add(-kneeMinutes)}))
	if err != nil {
		return nil, err
	}
	tried, err := collected(h.store.Experiments(ctx, store.Span{From: now.Add(-kneeExperiments)}))
	if err != nil {
		return nil, err
	}
	ways := all.ways()
	for _, name := range all.Names() {
		minutes := slices.DeleteFunc(measure.Minutes(name, windows), func(m measure.Minute) bool { return m.Until.Before(since) })
		list = append(list, headroomOf(name, ways[name], measure.KneeOf(name, ways[name], windows, tried), minutes))
	}
	return list, nil
}

// collected are rows up to the first error.
func collected[R any](rows iter.Seq2[R, error]) (list []R, err error) {
	for r, err := range rows {
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

func headroomOf(model string, way measure.Way, k measure.Knee, minutes []measure.Minute) api.QualityHeadroom {
	shown := api.QualityHeadroom{Model: model, Tier: way.Tier, KVType: way.KVType, Load: known(measure.OfferedRate(minutes)), Minutes: k.Minutes, Pairs: k.Pairs}
	busiest := measure.Busiest(minutes)
	if busiest != nil {
		shown.Busiest = &busiest.Offered
	}
	if !k.Known() {
		shown.Problem = fmt.Sprintf("the knee was not measured at tier %s: the last day has no three minutes of it with requests waiting for half of them, and no experiment was run at it (chimera experiment run --factor batching)", way.Tier)
		return shown
	}
	shown.Knee, shown.From, shown.Until = &k.QPS, &k.From, &k.Until
	if busiest != nil {
		shown.Headroom, shown.Least = known(k.Headroom(*shown.Load)), known(k.Headroom(busiest.Offered))
	}
	return shown
}
