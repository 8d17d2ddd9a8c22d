package simulator

import (
	"flag"
	"fmt"
	"testing"

	"chimera/internal/tables"
	"chimera/scheduler"
	"chimera/scheduler/trace"
)

// This file owns the tables of docs/POLICY.md that the simulator makes: make policy-tables writes them. A constant of the policy gets a
// line in sweeps, and the document a place for its table.

var rewrite = flag.Bool("rewrite", false, "write the tables of docs/POLICY.md anew")

// The loads of sweeps, by name, in the words of chimera simulate --synthetic. A device of the default costs is busy for seven
// to eight tenths of the time by chat and mixed; overload is seven times what it can do.
var loads = map[string]string{
	"chat":     "requests=3000,rate=1.6,burst=2",
	"mixed":    "requests=2000,rate=0.5,burst=2,prompt=250,prompt_sigma=1.5,prefixes=0,answer=80",
	"overload": "requests=4000,rate=17,burst=2",
}

// sweep is a constant, the load that tells its values apart, and how a run is given one.
type sweep struct {
	name   string
	load   string
	values []int
	set    func(*Config, int)
	now    func(*Config) int // the value in force; 0: none is
}

var sweeps = []sweep{
	{
		"step-tokens", "mixed", []int{64, 128, 256, 512, 1024, 2048},
		func(c *Config, v int) { c.StepTokens = v }, func(c *Config) int { return c.StepTokens },
	},
	{
		"max-sequences", "mixed", []int{4, 8, 16, 32, 64},
		func(c *Config, v int) { c.MaxSequences = v }, func(c *Config) int { return c.MaxSequences },
	},
	{
		"queue-length", "overload", []int{8, 32, 128, 256, 1024},
		func(c *Config, v int) { c.QueueLength = v }, func(c *Config) int { return c.QueueLength },
	},
	{
		"pages", "mixed", []int{600, 1040, 2080, 4160},
		func(c *Config, v int) { c.Pages = v }, (*Config).pages,
	},
	{
		"device, times as fast", "mooncake", []int{10, 15, 20, 30, 60},
		func(c *Config, v int) { c.Cost = faster(c.Cost, float64(v)) }, func(*Config) int { return 0 },
	},
}

// faster is what a device costs that is so many times as fast.
func faster(c scheduler.CostState, times float64) scheduler.CostState {
	return scheduler.CostState{
		ConstantMS: c.ConstantMS / times, DecodeRowMS: c.DecodeRowMS / times, PrefillRowMS: c.PrefillRowMS / times, OutputMS: c.OutputMS / times,
		AttentionMSMToken: c.AttentionMSMToken / times,
	}
}

func (s *sweep) head() []string {
	return []string{s.name, "good/s", "answers/s", "refused", "TTFT p50", "p95", "ITL p50", "p99", "computed a prompt token", "preemptions"}
}

func (r *Report) cells() []string {
	refused := float64(r.Requests-r.Answered) / float64(r.Requests)
	return []string{
		fmt.Sprintf("%.3f", r.GoodputQPS), fmt.Sprintf("%.3f", r.QPS), fmt.Sprintf("%.0f%%", 100*refused),
		fmt.Sprintf("%.0f", r.TTFT.P50), fmt.Sprintf("%.0f", r.TTFT.P95), fmt.Sprintf("%.0f", r.ITL.P50), fmt.Sprintf("%.0f", r.ITL.P99),
		fmt.Sprintf("%.2f", r.Prefill), fmt.Sprint(r.Preemptions),
	}
}

// Without -rewrite the tables' values are held against the document's, and nothing is run.
func TestPolicyTables(t *testing.T) {
	for _, s := range sweeps {
		table := tables.Table{Name: s.name, Head: s.head()}
		for _, v := range s.values {
			c := DefaultConfig()
			cell := fmt.Sprint(v)
			if v == s.now(&c) {
				cell = "**" + cell + "**"
			}
			row := []string{cell}
			if *rewrite {
				s.set(&c, v)
				row = append(row, run(t, s.trace(t), c).cells()...)
			}
			table.Rows = append(table.Rows, row)
		}
		finish := table.Check
		if *rewrite {
			finish = table.Write
		}
		if err := finish("../../docs/POLICY.md"); err != nil {
			t.Error(err)
		}
	}
}

func (s *sweep) trace(t *testing.T) *trace.Trace {
	t.Helper()
	var tr *trace.Trace
	d, err := trace.ParseSynthetic(loads[s.load])
	if s.load == "mooncake" {
		tr, err = trace.Open("../trace/testdata/mooncake_conversation.jsonl")
	} else {
		tr = d.Make()
	}
	if err != nil {
		t.Fatal(err)
	}
	tr.Limit(DefaultConfig().Context)
	return tr
}
