package scheduler

import (
	"bufio"
	"flag"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"chimera/internal/tables"
)

// This file owns the tables of docs/POLICY.md that say what the cost model's constants are worth: make policy-tables writes them.

var rewriteTables = flag.Bool("rewrite", false, "write the tables of docs/POLICY.md anew")

// costTable is a constant and the values that its table has.
type costTable struct {
	name   string
	values []float64
	set    func(*costRule, float64)
}

var costTables = []costTable{
	{"cost-memory", []float64{0.95, 0.98, 0.99, 0.995, 0.999}, func(r *costRule, v float64) { r.memory = v }},
	{"cost-clip", []float64{1, 2, 3, 5, 1000}, func(r *costRule, v float64) { r.clip = v }},
	{"cost-error-rate", []float64{0.01, 0.03, 0.1, 0.3, 1}, func(r *costRule, v float64) { r.errorRate = v }},
	{"cost-speed-rate", []float64{0, 0.01, 0.03, 0.1, 0.3}, func(r *costRule, v float64) { r.speedRate = v }},
}

func TestCostTables(t *testing.T) {
	for _, s := range costTables {
		table := tables.Table{Name: s.name, Head: []string{
			s.name, "off in steady state", "off with 1% of steps 50 times as long, worst", "steps until a machine of half the speed is known to 10%",
			"a prompt's step then, of which none came: off by", "real steps off by p50", "p90",
		}}
		for _, v := range s.values {
			rule := defaultCostRule
			s.set(&rule, v)
			cell := fmt.Sprintf("%g", v)
			if rule == defaultCostRule {
				cell = "**" + cell + "**"
			}
			table.Rows = append(table.Rows, append([]string{cell}, rule.worth(t)...))
		}
		err := table.Check
		if *rewriteTables {
			err = table.Write
		}
		if err := err("../docs/POLICY.md"); err != nil {
			t.Error(err)
		}
	}
}

func (r costRule) model() *Cost {
	c := NewCost()
	c.rule = r
	return c
}

// worth are the cells of a row.
func (r costRule) worth(t *testing.T) []string {
	percent := func(x float64) string { return fmt.Sprintf("%.1f%%", 100*x) }
	m, c := newMachine(0.03), r.model()
	m.teach(c, 1000)
	steady := m.wrong(c)

	worst := 0.0
	for i := range 2000 {
		s := m.shape()
		d := m.takes(s)
		if m.rng.IntN(100) == 0 {
			d *= 50
		}
		if c.Observe(s, d); i%20 == 0 {
			worst = max(worst, m.wrong(c))
		}
	}

	m, c = newMachine(0.03), r.model()
	m.teach(c, 1000)
	m.slow(2)
	known := 0
	for ; known < 2000 && m.wrong(c) > 0.1; known += 10 {
		m.teach(c, 10)
	}

	m, c = newMachine(0.03), r.model()
	m.teach(c, 1000)
	m.slow(2)
	for range 500 {
		s := Shape{Decode: 8 + m.rng.IntN(8), Outputs: 16, Attention: 8 * 500}
		c.Observe(s, m.takes(s))
	}
	prompt := Shape{Prefill: 512, Outputs: 1, Attention: 512 * 256}
	unseen := math.Abs(float64(c.Predict(prompt))/float64(m.exact(prompt)) - 1)

	c = r.model()
	teachRealSteps(t, c)
	real := c.State()
	return []string{percent(steady), percent(worst), fmt.Sprint(known), percent(unseen), percent(real.ErrorP50), percent(real.ErrorP90)}
}

// slow makes all steps take so many times as long.
func (m *machine) slow(factor float64) {
	for _, x := range []*float64{&m.ConstantMS, &m.DecodeRowMS, &m.PrefillRowMS, &m.OutputMS, &m.AttentionMSMToken} {
		*x *= factor
	}
}

// teachRealSteps observes those of testdata/steps.csv, and tells how many.
func teachRealSteps(t *testing.T, c *Cost) (n int) {
	f, err := os.Open("testdata/steps.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var s Shape
		var us int64
		if _, err := fmt.Sscanf(lines.Text(), "%d,%d,%d,%f,%d", &s.Decode, &s.Prefill, &s.Outputs, &s.Attention, &us); err != nil {
			continue // the head
		}
		c.Observe(s, time.Duration(us)*time.Microsecond)
		n++
	}
	return n
}
