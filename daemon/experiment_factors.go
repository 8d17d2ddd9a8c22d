package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"chimera/api"
	"chimera/config"
	"chimera/quality/experiment"
	"chimera/scheduler"
)

// This file owns the factors: what can be changed of how a model is served, to find out what that does.

// factor is one change of an arm.
type factor = experiment.Factor[armSpec]

// knownFactor is a factor that can be asked for, by its key.
type knownFactor struct {
	key, meaning string
	measure      func(*laboratory, context.Context) error
}

// causesKey asks for the root cause of lost quality.
const causesKey = "causes"

// knownFactors are all, in the order in which they are measured.
func knownFactors() []knownFactor {
	changed := func(key, meaning string, changes func(*laboratory) []factor) knownFactor {
		return knownFactor{key, meaning, func(l *laboratory, ctx context.Context) error { return l.try(ctx, changes(l)) }}
	}
	return []knownFactor{
		changed("hotness", "what stays in the prefix cache: what is used often, or what was used last", without("cache hotness", "hotness", "recency", "hotness")),
		changed("batching", "prompts in steps that those who are being answered can bear, the shortest first, or whole and as they come", without("batching", "budget and shortest first", "as they come", "budget", "length")),
		changed("prefixes", "prompts that begin alike share what was computed, or each is computed whole", sharing),
		changed("door", "a step waits a moment for clients who come back at once, or does not", without("door", "held", "off", "door")),
		changed("tier", "the quantisation tiers that were measured, or the next smaller one", tiers),
		changed("kv_type", "the type of the KV cache: f16 or q8_0", kvTypes),
		changed("huge_pages", "huge pages of memory, or small ones", hugePages),
		changed("escalation", "answers that a tier is unsure of are computed again by its source, or are not", escalation),
		{causesKey, "the root cause of lost quality: tier, KV type, cache, escalation, cut answers and tags, each as for the control", (*laboratory).causes},
	}
}

// without leaves characteristics of the policy out.
func without(name, off, on string, characteristics ...string) func(*laboratory) []factor {
	return func(*laboratory) []factor {
		set, err := scheduler.CharacteristicsOf(characteristics...)
		if err != nil {
			return []factor{{Name: name, Problem: err.Error()}}
		}
		return []factor{{Name: name, Off: off, On: on, Apply: func(a *armSpec) { a.without = set }}}
	}
}

func sharing(*laboratory) []factor {
	return []factor{{Name: "shared prefixes", Off: "shared", On: "each alone", Apply: func(a *armSpec) { a.alone = true }}}
}

// tiers are those that the guard has measured; where it has measured none, the source and the next that has fewer bytes.
func tiers(l *laboratory) (list []factor) {
	const name = "tier"
	for _, tier := range l.otherTiers() {
		list = append(list, factor{Name: name, Off: l.tier, On: tier, Apply: func(a *armSpec) { a.tier, a.budget = tier, 0 }})
	}
	if len(list) == 0 {
		list = []factor{{Name: name, Problem: "no other tier has fewer bytes than " + l.tier + ", or as many as the source"}}
	}
	return list
}

// otherTiers are in the order of the ladder.
func (l *laboratory) otherTiers() (list []string) {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	names := config.TierNames()
	at := slices.Index(names, l.tier)
	bytes := func(i int) int64 {
		if i < len(l.up.ladder) {
			return l.up.ladder[i]
		}
		return 0
	}
	for i, tier := range names {
		if i != at && l.r.watched.known[tier].measured && bytes(i) != bytes(at) {
			list = append(list, tier)
		}
	}
	if len(list) > 0 {
		return list
	}
	if at > 0 && bytes(at) < bytes(0) {
		list = append(list, api.SourceTier)
	}
	for i := at + 1; i < len(names); i++ {
		if bytes(i) > 0 && bytes(i) < bytes(at) {
			return append(list, names[i])
		}
	}
	return list
}

func kvTypes(l *laboratory) []factor {
	on := "q8_0"
	if l.served().kv == on {
		on = "f16"
	}
	return []factor{{Name: "KV type", Off: l.served().kv, On: on, Apply: func(a *armSpec) { a.kv = on }}}
}

func hugePages(l *laboratory) []factor {
	f := factor{Name: "huge or pinned memory", Off: "huge pages", On: "4 KiB pages", Apply: func(a *armSpec) { a.smallPages = true }}
	if b := l.up.model.Compute.Backend; !strings.HasPrefix(b, "cpu") {
		f.Problem = fmt.Sprintf("the backend %s has memory of its own, with pages of its own", b)
	}
	return []factor{f}
}

func escalation(l *laboratory) []factor {
	f := factor{Name: "escalation"}
	now := l.budget()
	switch {
	case !l.up.isBelow(l.tier):
		f.Problem = "the tier " + l.tier + " serves, above which there is none to ask"
	case now > 0:
		f.Off, f.On, f.Apply = fmt.Sprintf("budget %g", now), "off", func(a *armSpec) { a.budget = 0 }
	default:
		usual := config.Default().Quality.EdgeBudget
		f.Off, f.On, f.Apply = "off", fmt.Sprintf("budget %g", usual), func(a *armSpec) { a.budget = usual }
	}
	return []factor{f}
}

// try measures changes, each for its part of the time.
func (l *laboratory) try(ctx context.Context, changes []factor) (err error) {
	for _, f := range changes {
		if f.Problem != "" {
			return errors.New(f.Problem)
		}
		if e := l.measure(ctx, f, len(changes)); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", f.On, e))
		}
	}
	return err
}
