package simulator

import (
	"flag"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"chimera/internal/tables"
	"chimera/scheduler"
	"chimera/scheduler/trace"
)

// This file owns the tables of docs/POLICY.md that the simulator makes: make policy-tables writes them. A constant of the policy gets a
// line in sweeps, and the document a place for its table.

var rewrite = flag.Bool("rewrite", false, "write the tables of docs/POLICY.md anew")

// The loads of sweeps, by name, in the words of chimera simulate --synthetic. A device of the default costs is busy for seven
// to eight tenths of the time by chat and mixed; the others are more than it can do, for a while or all the time.
var loads = map[string]string{
	"chat":      "requests=3000,rate=1.6,burst=2",
	"mixed":     "requests=2000,rate=0.5,burst=2,prompt=250,prompt_sigma=1.5,prefixes=0,answer=80",
	"overload":  "requests=4000,rate=17,burst=2",
	"deadlines": "requests=2000,rate=5,burst=2,deadline=5s,deadline_sigma=0.8",
	"tenants":   "requests=3000,rate=6,burst=2,tenants=small:1/large:4",
	"quiet":     "requests=6000,rate=20,prefixes=0,prompt_sigma=0.3,answer=16,answer_sigma=0.3,tenants=small:1/large:59",
	"classes":   "requests=2000,rate=2,burst=4,classes=interactive:6/batch:3/background:1",
	"all": "requests=2500,rate=1.8,burst=4,prompt_sigma=1.3,classes=interactive:6/batch:3/background:1,tenants=small:1/large:9," +
		"priorities=5:9/9:1,deadline=20s",
	"tight":        "requests=1500,rate=1.4,prompt=100,prompt_sigma=0.5,answer=200,answer_sigma=0.5,prefixes=0",
	"long prompts": "requests=1000,rate=2.2,burst=2,prompt=200,prompt_sigma=1.6,prefixes=0,answer=60",
	"paced":        "requests=3000,rate=1.6,burst=2",
}

// configOf is that of chimera serve by default; the tight load meets a pool of 150 pages, and waits for them however long, since it is who waits
// that its tables are about; so does the crowd. The paced load has a step's length set,
// which is less than eight who decode take; its answers are good whose tokens come no more than twice as far apart.
func configOf(load string) Config {
	c := DefaultConfig()
	switch load {
	case "tight":
		c.Pages, c.Context, c.Wait = 150, 150*16, 0
	case "crowd":
		c.Wait = 0
	case "read twice": // or who asks would go first for being another tenant
		c.Without, _ = scheduler.CharacteristicsOf("fairness")
	case "long prompts":
		c.Context = 2048
	case "paced":
		c.ITL, c.Objectives.ITL = 15*time.Millisecond, 30*time.Millisecond
	}
	return c
}

// column is a figure of a report.
type column struct {
	name string
	cell func(*Report) string
}

func number(format string, of func(*Report) float64) func(*Report) string {
	return func(r *Report) string { return fmt.Sprintf(format, of(r)) }
}

// part is that class or tenant, which the load has.
func (r *Report) partOf(name string) Part {
	for _, p := range append(r.Classes, r.Tenants...) {
		if p.Name == name {
			return p
		}
	}
	return Part{}
}

var (
	goodput = column{"good/s", number("%.3f", func(r *Report) float64 { return r.GoodputQPS })}
	answers = column{"answers/s", number("%.3f", func(r *Report) float64 { return r.QPS })}
	refused = column{"refused", number("%.0f%%", func(r *Report) float64 { return 100 * float64(r.Requests-r.Answered) / float64(r.Requests) })}
	ttft    = []column{
		{"TTFT p50", number("%.0f", func(r *Report) float64 { return r.TTFT.P50 })}, {"p95", number("%.0f", func(r *Report) float64 { return r.TTFT.P95 })},
		{"longest", number("%.0f", func(r *Report) float64 { return r.TTFT.Max })},
	}
	itl = []column{
		{"ITL p50", number("%.0f", func(r *Report) float64 { return r.ITL.P50 })}, {"p99", number("%.0f", func(r *Report) float64 { return r.ITL.P99 })},
	}
	again = []column{
		{"computed a prompt token", number("%.2f", func(r *Report) float64 { return r.Prefill })},
		{"preemptions", func(r *Report) string { return fmt.Sprint(r.Preemptions) }},
	}
	fair = []column{
		{"Jain", fairness("%.3f", func(f *Fairness) float64 { return f.Jain })}, {"least share", fairness("%.2f", func(f *Fairness) float64 { return f.MinShare })},
		{"small: TTFT p95", number("%.0f", func(r *Report) float64 { return r.partOf("small").TTFT.P95 })}, {"large: p95", number("%.0f", func(r *Report) float64 { return r.partOf("large").TTFT.P95 })},
	}
	byClass = []column{
		{"interactive: TTFT p95", number("%.0f", func(r *Report) float64 { return r.partOf("interactive").TTFT.P95 })},
		{"ITL p99", number("%.0f", func(r *Report) float64 { return r.partOf("interactive").ITL.P99 })},
		{"batch: p95", number("%.0f", func(r *Report) float64 { return r.partOf("batch").TTFT.P95 })},
		{"background: p95", number("%.0f", func(r *Report) float64 { return r.partOf("background").TTFT.P95 })},
	}
)

// fairness is a cell of a load with tenants, of whom never two wait where they are served as they ask.
func fairness(format string, of func(*Fairness) float64) func(*Report) string {
	return func(r *Report) string {
		if r.Fairness == nil {
			return "-"
		}
		return fmt.Sprintf(format, of(r.Fairness))
	}
}

func columns(lists ...any) (all []column) {
	for _, l := range lists {
		switch l := l.(type) {
		case column:
			all = append(all, l)
		case []column:
			all = append(all, l...)
		}
	}
	return all
}

var (
	standard = columns(goodput, answers, refused, ttft, itl, again)
	ofTenant = columns(goodput, refused, fair, itl)
	ofQuiet  = columns(answers, refused, fair[2:], itl)
	ofCrowd  = columns(answers, refused, column{"small: refused", number("%.0f%%", func(r *Report) float64 {
		p := r.partOf("small")
		return 100 * float64(p.Requests-p.Answered) / float64(max(p.Requests, 1))
	})}, fair[2])
	ofClass = columns(goodput, byClass)
)

// sweep is a constant, the load that tells its values apart, and what is shown of each.
type sweep struct {
	name   string
	load   string
	values []float64
	shown  []column
	set    func(*Config, float64)
	now    func(*Config) float64 // the value in force; 0: none is
}

var sweeps = []sweep{
	{
		"step-tokens", "mixed", []float64{64, 128, 256, 512, 1024, 2048}, standard,
		func(c *Config, v float64) { c.StepTokens = int(v) }, func(c *Config) float64 { return float64(c.StepTokens) },
	},
	{
		"max-sequences", "mixed", []float64{4, 8, 16, 32, 64}, standard,
		func(c *Config, v float64) { c.MaxSequences = int(v) }, func(c *Config) float64 { return float64(c.MaxSequences) },
	},
	{
		"queue-length", "overload", []float64{8, 32, 128, 256, 1024}, standard,
		func(c *Config, v float64) { c.QueueLength, c.Wait = int(v), 0 }, func(c *Config) float64 { return float64(c.QueueLength) },
	},
	{
		"wait-ms", "overload", []float64{500, 1000, 2000, 3000, 5000, 10000, 30000, 0}, standard,
		func(c *Config, v float64) { c.Wait = time.Duration(v * 1e6) }, func(c *Config) float64 { return c.Wait.Seconds() * 1e3 },
	},
	{
		"pages", "mixed", []float64{600, 1040, 2080, 4160}, standard,
		func(c *Config, v float64) { c.Pages = int(v) }, func(c *Config) float64 { return float64(c.pages()) },
	},
	rule("AgePassings", "tight", standard, 1, 4, 16, 64, 1e6),
	rule("AgeSteps", "mixed", standard, 1, 4, 8, 32, 1e6),
	rule("LengthRatio", "deadlines", standard, 1.01, 1.5, 2, 3, 4, 8, 1e6),
	rule("InputWeight", "tenants", ofTenant, 0.25, 0.5, 1, 2),
	rule("OutputWeight", "tenants", ofTenant, 1, 2, 4, 8),
	rule("BatchShare", "classes", ofClass, 3, 9, 17, 1e6),
	rule("BackgroundShare", "classes", ofClass, 4, 9, 17, 33, 1e6),
	rule("PlaceShare", "classes", ofClass, 2, 4, 8, 16, 32),
	rule("LongStretch", "mixed", standard, 1.1, 1.3, 1.6, 2.1, 4),
	rule("ShortStep", "chat", standard, 0.016, 0.032, 0.064, 0.128, 0.256, 1),
	rule("ShortRows", "chat", standard, 32, 64, 128, 256, 512),
	rule("LeastRows", "paced", standard, 1, 4, 8, 16, 32, 64, 256),
	rule("Horizon", "tight", standard, 1, 32, 128, 512, 1e6),
	rule("ReserveShare", "tight", standard, 1, 2, 4, 16),
	rule("QuietTime", "quiet", ofQuiet, 0.001, 1, 10, 30, 100),
	rule("QueueShare", "crowd", ofCrowd, 2, 4, 8, 16, 1e6),
	{
		"device, times as fast", "mooncake", []float64{10, 15, 20, 30, 60}, standard,
		func(c *Config, v float64) { c.Cost = faster(c.Cost, v) }, func(*Config) float64 { return 0 },
	},
}

// rule is the sweep of one of scheduler.Rules. Times are in seconds.
func rule(name, load string, shown []column, values ...float64) sweep {
	field := func(c *Config) reflect.Value { return reflect.ValueOf(&c.Rules).Elem().FieldByName(name) }
	return sweep{
		name, load, values, shown,
		func(c *Config, v float64) {
			switch to := field(c).Addr().Interface().(type) {
			case *int:
				*to = int(v)
			case *float64:
				*to = v
			case *time.Duration:
				*to = time.Duration(v * 1e9)
			}
		},
		func(c *Config) float64 {
			switch at := field(c).Interface().(type) {
			case int:
				return float64(at)
			case time.Duration:
				return at.Seconds()
			}
			return field(c).Float()
		},
	}
}

// faster is what a device costs that is so many times as fast.
func faster(c scheduler.CostState, times float64) scheduler.CostState {
	return scheduler.CostState{
		ConstantMS: c.ConstantMS / times, DecodeRowMS: c.DecodeRowMS / times, PrefillRowMS: c.PrefillRowMS / times, OutputMS: c.OutputMS / times,
		AttentionMSMToken: c.AttentionMSMToken / times,
	}
}

// A constant that is added to the policy gets its table. That of the door is made live, since nobody comes back to a trace.
func TestEachRuleHasItsTable(t *testing.T) {
	for _, name := range ruleNames() {
		if name != "DoorTime" && !slices.ContainsFunc(sweeps, func(s sweep) bool { return s.name == name }) {
			t.Errorf("%s has no line in sweeps", name)
		}
	}
}

// label is a value in the first column.
func label(v float64, inForce bool) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if inForce {
		return "**" + text + "**"
	}
	return text
}

// TestPolicyTables runs the sweeps with -rewrite, one by -run 'PolicyTables/NAME$'; without it their values are held against the document's.
func TestPolicyTables(t *testing.T) {
	for _, s := range sweeps {
		t.Run(s.name, func(t *testing.T) {
			table := tables.Table{Name: s.name, Head: []string{s.name}}
			for _, c := range s.shown {
				table.Head = append(table.Head, c.name)
			}
			for _, v := range s.values {
				c := configOf(s.load)
				row := []string{label(v, v == s.now(&c))}
				if s.set(&c, v); *rewrite {
					row = append(row, cells(run(t, loadOf(t, s.load), c), s.shown)...)
				}
				table.Rows = append(table.Rows, row)
			}
			finish(t, &table)
		})
	}
}

// Each characteristic is switched off, under loads that have what it looks at.
func TestCharacteristicTable(t *testing.T) {
	for _, load := range []string{"all", "deadlines", "quiet", "tight", "read twice", "long prompts"} {
		t.Run(load, func(t *testing.T) { characteristicTable(t, load) })
	}
}

func characteristicTable(t *testing.T, load string) {
	shown := columns(goodput, answers, refused, ttft, itl, again, fair[:2], byClass)
	switch load {
	case "deadlines", "tight":
		shown = standard
	case "quiet":
		shown = ofQuiet
	case "long prompts":
		shown = columns(goodput, ttft, itl, column{"device busy", number("%.0f%%", func(r *Report) float64 { return 100 * r.Busy })},
			column{"rows of a step", number("%.0f", func(r *Report) float64 { return float64(r.Tokens) / float64(r.Steps) })})
	case "read twice":
		shown = columns(goodput, column{"who asks: TTFT p50", number("%.0f", func(r *Report) float64 { return r.partOf("asks").TTFT.P50 })},
			column{"p95", number("%.0f", func(r *Report) float64 { return r.partOf("asks").TTFT.P95 })}, byClass[:3])
	}
	table := tables.Table{Name: "without, " + load, Head: []string{"without"}}
	for _, c := range shown {
		table.Head = append(table.Head, c.name)
	}
	names := []string{""}
	for _, c := range scheduler.Characteristics {
		if c.Name != "door" { // of a trace nobody comes back
			names = append(names, c.Name)
		}
	}
	for _, name := range names {
		c := configOf(load)
		row := []string{"nothing"}
		if name != "" {
			row[0] = name
			without, _ := scheduler.CharacteristicsOf(name)
			c.Without |= without
		}
		if *rewrite {
			row = append(row, cells(run(t, loadOf(t, load), c), shown)...)
		}
		table.Rows = append(table.Rows, row)
	}
	finish(t, &table)
}

func cells(r *Report, shown []column) (list []string) {
	for _, c := range shown {
		list = append(list, c.cell(r))
	}
	return list
}

func finish(t *testing.T, table *tables.Table) {
	t.Helper()
	end := table.Check
	if *rewrite {
		end = table.Write
	}
	if err := end("../../docs/POLICY.md"); err != nil {
		t.Error(err)
	}
}

// loadOf makes a load, or reads the published one.
func loadOf(t *testing.T, name string) *trace.Trace {
	t.Helper()
	var tr *trace.Trace
	d, err := trace.ParseSynthetic(loads[name])
	switch of, isMade := made[name]; {
	case isMade:
		tr = of()
	case name == "mooncake":
		tr, err = trace.Open("../trace/testdata/mooncake_conversation.jsonl")
	default:
		tr = d.Make()
	}
	if err != nil {
		t.Fatal(err)
	}
	tr.Limit(configOf(name).Context)
	return tr
}
