package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"chimera/measure"
	"chimera/store"
)

// This file owns what is said of costs: what a thousand tokens take of the cores and of energy, at each tier that served.

// cost is what tokens have cost in the period.
func (m *modelInput) cost() Statement {
	all, energy := m.dear("cost", "cost", m.Costs), m.energy("energy", "energy", m.Costs)
	t := Statement{Topic: "Cost", Figures: []Figure{all, energy}, Status: status(all, energy)}
	if all.Value == nil {
		t.Text = "What tokens cost is missing: " + all.Missing + "."
		return t
	}
	t.Text = fmt.Sprintf("1,000 tokens cost %s core-seconds", number(*all.Value))
	if energy.Value != nil {
		t.Text += " and " + number(*energy.Value) + " joules"
	}
	t.Text += ", of " + counted(all.N, "token", "tokens") + " counted"
	if energy.Value == nil {
		t.Text += "; joules are missing: " + energy.Missing
	}
	if tiers := m.tiersPaid(); len(tiers) > 1 {
		var parts []string
		for _, tier := range tiers {
			f := m.dear("cost."+tier, "cost at tier "+tier, m.costsAt(tier))
			e := m.energy("energy."+tier, "energy at tier "+tier, m.costsAt(tier))
			t.Figures = append(t.Figures, f, e)
			parts = append(parts, tier+coreWords(f)+energyWords(e))
		}
		t.Text += "; by tier: " + strings.Join(parts, ", ")
	}
	t.Text += "."
	return t
}

// coreWords are a tier's cost.
func coreWords(f Figure) string {
	if f.Value == nil {
		return " missing"
	}
	return " " + number(*f.Value) + " core-seconds"
}

// energyWords are behind a cost, where energy is known.
func energyWords(f Figure) string {
	if f.Value == nil {
		return ""
	}
	return " and " + number(*f.Value) + " joules"
}

// energy is the joules of a thousand tokens, with those of the overhead.
func (m *modelInput) energy(name, label string, costs []store.Cost) Figure {
	p := measure.PriceOf(costs)
	var of []string
	if !math.IsNaN(p.CPUJoules) {
		of = append(of, "processors and their memory (RAPL) by share of CPU time")
	}
	if !math.IsNaN(p.GPUJoules) {
		of = append(of, "graphics cards (NVML)")
	}
	f := Figure{Name: name, Label: label, Unit: joules, N: p.EnergyTokens, Of: "tokens", From: m.From, Until: m.Until, Method: "joules over tokens of prompts and answers", Sources: rowsOf(store.Costs, p.EnergyRows)}
	if len(of) > 0 {
		f.Method = "joules of " + listed(of) + " over tokens of prompts and answers"
	}
	return f.set(p.JoulesPerThousand(), "no counter of energy could be read (GET /v1/status says why)")
}

// tiersPaid are those that tokens were computed at.
func (m *modelInput) tiersPaid() (list []string) {
	for i := range m.Costs {
		if c := &m.Costs[i]; c.Tier != "" && c.PromptTokens+c.AnswerTokens > 0 && !slices.Contains(list, c.Tier) {
			list = append(list, c.Tier)
		}
	}
	slices.Sort(list)
	return list
}

func (m *modelInput) costsAt(tier string) []store.Cost {
	return where(m.Costs, func(c *store.Cost) bool { return c.Tier == tier })
}
