package simulator

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"chimera/internal/tables"
	"chimera/scheduler"
	"chimera/scheduler/trace"
)

// This file owns what a long prompt and eight clients are to each other: the row long of docs/BENCHMARKS.md, simulated.

// closedLoop has clients send one request after the other for so long, each at once when the last is answered, as those of the load
// generator do: who is delayed asks less.
func closedLoop(t testing.TB, c Config, length time.Duration, clients ...trace.Request) *Report {
	t.Helper()
	s, err := begin(asked(clients...), c)
	if err != nil {
		t.Fatal(err)
	}
	s.tally.groups(&trace.Request{Tenant: "nobody"}) // a report has parts where there are several
	for s.clock.Sub(epoch) < length {
		s.arrive()
		worked, err := s.loop.Turn()
		if err != nil {
			t.Fatal(err)
		}
		before := slices.Clone(s.running)
		s.hear()
		for _, r := range before {
			if !slices.Contains(s.running, r) {
				again := r.Request
				again.At = s.clock.Sub(epoch)
				s.trace.Requests = append(s.trace.Requests, again)
			}
		}
		if !worked && len(before) == len(s.running) {
			s.pass(s.waitsFor(), func() bool { return false })
		}
	}
	return s.report()
}

// costs of steps are near those of the machines in docs/BENCHMARKS.md: two cores of a Zen 5 with AVX-512, and of a Zen 4 by AVX2.
var costs = []struct {
	device string
	cost   scheduler.CostState
	minute time.Duration // as long as sixty of its long prompts take alone
}{
	{"AVX-512", scheduler.CostState{ConstantMS: 3, DecodeRowMS: 0.35, PrefillRowMS: 0.24, OutputMS: 0.25, AttentionMSMToken: 100}, 3 * time.Minute},
	{"AVX2", scheduler.CostState{ConstantMS: 6, DecodeRowMS: 0.8, PrefillRowMS: 0.6, OutputMS: 0.4, AttentionMSMToken: 250}, 8 * time.Minute},
}

// eight are those clients, and long is the one beside them. They are tenants for the report's sake: fairness is left out.
func eight() (list []trace.Request) {
	for i := range 8 {
		list = append(list, trace.Request{At: time.Duration(i) * 97 * time.Millisecond, Prompt: 170, Answer: 64, Tenant: "eight"})
	}
	return list
}

var long = trace.Request{Prompt: 5300, Answer: 1, Tenant: "long"}

// besideLong is the eight's ITL p99 beside the long prompts over that without them, and the long prompts' TTFT p50 over that alone.
func besideLong(t testing.TB, c Config, length time.Duration) (without, beside *Report, itl, ttft float64) {
	c.Without, _ = scheduler.CharacteristicsOf("fairness")
	without = closedLoop(t, c, length, eight()...)
	alone := closedLoop(t, c, length, long)
	beside = closedLoop(t, c, length, append(eight(), long)...)
	return without, beside, beside.partOf("eight").ITL.P99 / without.partOf("eight").ITL.P99, beside.partOf("long").TTFT.P50 / alone.partOf("long").TTFT.P50
}

// stretches are the values of LongStretch that the table has.
var stretches = []float64{1.3, 1.6, 1.9, 2.1, 2.5, 4}

func TestLongPromptTable(t *testing.T) {
	table := tables.Table{Name: "LongStretch, beside 8 clients", Head: []string{
		"device", "LongStretch", "the 8: ITL p50 without", "beside", "p99 without", "beside", "times", "answers/s beside of without", "the long prompt: TTFT of alone"}}
	for _, x := range costs {
		for _, v := range stretches {
			c := DefaultConfig()
			c.Cost = x.cost
			row := []string{x.device, label(v, v == c.Rules.LongStretch)}
			if c.Rules.LongStretch = v; *rewrite {
				without, beside, itl, ttft := besideLong(t, c, x.minute)
				a, b := without.partOf("eight"), beside.partOf("eight")
				row = append(row, fmt.Sprintf("%.1f", a.ITL.P50), fmt.Sprintf("%.1f", b.ITL.P50), fmt.Sprintf("%.0f", a.ITL.P99), fmt.Sprintf("%.0f", b.ITL.P99),
					fmt.Sprintf("%.2f", itl), fmt.Sprintf("%.0f%%", 100*float64(b.Answered)/float64(a.Answered)), fmt.Sprintf("%.2f", ttft))
				t.Log(row)
			}
			table.Rows = append(table.Rows, row)
		}
	}
	finish(t, &table)
}
