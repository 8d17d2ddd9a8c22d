package report

import (
	"fmt"
	"strings"
	"time"

	"chimera/measure"
	"chimera/store"
)

// This file owns the Risk/Mitigation Table: what may go wrong, how it stands now, and what is done about it. Priority and status follow from
// figures; a risk that nobody watches is never called low.

// Priority is how soon somebody should look.
type Priority string

// The priorities.
const (
	High   Priority = "high"
	Medium Priority = "medium"
	Low    Priority = "low"
)

func (p Priority) rank() int {
	switch p {
	case High:
		return 2
	case Medium:
		return 1
	}
	return 0
}

// RiskStatus is how a risk stands.
type RiskStatus string

// The statuses of risks.
const (
	Open      RiskStatus = "open"  // it has come about
	Watch     RiskStatus = "watch" // it may have
	Clear     RiskStatus = "clear"
	Unwatched RiskStatus = "not measured"
)

// Risk is a row of the table.
type Risk struct {
	Model      string     `json:"model,omitempty"` // empty: all of them
	Name       string     `json:"name"`
	Priority   Priority   `json:"priority"`
	Status     RiskStatus `json:"status"`
	Text       string     `json:"text"`
	Mitigation string     `json:"mitigation"`
	Figures    []Figure   `json:"figures"`
}

// risks are those of a model.
func (m *modelInput) risks(missed []string) []Risk {
	list := []Risk{m.overfitting(), m.quantisation(missed), m.computeCost(), m.coverage(), m.drift()}
	if m.ofAllTenants() {
		list = append(list, m.headroom().risk())
	}
	for i := range list {
		list[i].Model = m.name
	}
	return list
}

// rank orders how far something has come about.
func (s RiskStatus) rank() int {
	switch s {
	case Open:
		return 2
	case Watch:
		return 1
	}
	return 0
}

// overfitting looks at the largest gap of a suite's halves.
func (m *modelInput) overfitting() Risk {
	r := Risk{Name: "overfitting", Mitigation: "Weights, norms and tiers are chosen by the tuning half alone, and the sealed half is for reports; run suites of other input too."}
	tier := m.served()
	for _, e := range m.compared(store.HalvesCompared, tier) {
		r.Figures = append(r.Figures, gap(e))
	}
	var worst *Figure
	for i := range r.Figures {
		if f := &r.Figures[i]; f.isRelative() && (worst == nil || relative(f) > relative(worst)) {
			worst = f
		}
	}
	switch {
	case worst == nil && tier == control:
		r.Figures = []Figure{m.absent("gap", "overfitting gap", ratio, noGap)}
		r.Priority, r.Status, r.Text = Low, Clear, capital(noGap)+"."
		return r
	case worst == nil:
		why := "no suite's halves were compared with the control's, item by item" + ofTier(tier)
		r.Figures = []Figure{m.absent("gap", "overfitting gap", ratio, why)}
		r.Priority, r.Status, r.Text = Medium, Unwatched, "The gap between what is tuned by and what is sealed is missing: "+why+"."
		return r
	case lost(*worst):
		r.Priority, r.Status = High, Open
	case *worst.Value > 0:
		r.Priority, r.Status = Medium, Watch
	default:
		r.Priority, r.Status = Low, Clear
	}
	r.Text = capital(worst.Label + " is " + worst.withInterval() + ".")
	return r
}

// noGap is why a source has none.
const noGap = "the source precision answers, which was chosen by no suite"

// isRelative tells whether there is a figure, and of a scale. A perplexity has no end, so nothing can be held against it.
func (f *Figure) isRelative() bool { return f.Value != nil && f.Unit != perplexity }

// relative makes figures of two scales comparable.
func relative(f *Figure) float64 {
	if f.Unit == points {
		return *f.Value / 100
	}
	return *f.Value
}

// absent is a figure that nobody has.
func (in *Input) absent(name, label, unit, why string) Figure {
	return Figure{Name: name, Label: label, Unit: unit, Of: "items", From: in.From, Until: in.Until, Method: "none"}.missing(why)
}

// quantisation looks at what the tier that answers loses, and at the steps between tiers.
func (m *modelInput) quantisation(missed []string) Risk {
	r := Risk{Name: "degradation by quantisation", Mitigation: "A tier is left for a higher one when suites find it worse than the control; tiers are made from the source, and never beyond what it holds."}
	tier := m.served()
	all := m.compared(store.TierCompared, tier)
	for _, e := range all {
		r.Figures = append(r.Figures, loss(e))
	}
	worst, stands, limit := standing(m.judged(all))
	decided, moves := m.moves()
	switch {
	case tier == "":
		why := "nothing says which tier answers"
		r.Figures = append(r.Figures, m.absent("loss", "loss by quantisation", ratio, why))
		r.Priority, r.Status, r.Text = Medium, Unwatched, "What quantisation loses is missing: "+why+". "
	case tier == control:
		r.Priority, r.Status, r.Text = Low, Clear, "The source precision answers: nothing is lost by quantisation. "
	case worst == nil:
		why := "no suite was asked of tier " + tier + " and of the control, item by item"
		r.Figures = append(r.Figures, m.absent("loss", "loss by quantisation", ratio, why))
		r.Priority, r.Status, r.Text = Medium, Unwatched, "What tier "+tier+" loses is missing: "+why+". "
	default:
		f := loss(worst)
		r.Status, r.Text = stands, capital(f.Label+", is "+f.withInterval()+": "+bounds[stands]+" the "+limit+". ")
		r.Priority = map[RiskStatus]Priority{Open: High, Watch: Medium, Clear: Low}[stands]
		if stands == Clear && qualityMissed(missed) && f.High != nil && *f.High < 0 {
			r.Priority, r.Status = Medium, Watch
		}
	}
	r.Figures, r.Text = append(r.Figures, decided), r.Text+moves
	if begun := where(m.Decisions, func(d *store.Decision) bool { return d.State == store.Begun }); len(begun) > 0 && r.Priority == Low {
		r.Priority, r.Status = Medium, Watch
	}
	return r
}

// bounds say how a loss stands to what may be lost.
var bounds = map[RiskStatus]string{Open: "more than", Watch: "not surely within", Clear: "surely within"}

// qualityMissed tells whether an objective of quality is missed.
func qualityMissed(missed []string) bool {
	for _, name := range missed {
		for _, about := range known {
			if about.objective == name {
				return true
			}
		}
	}
	return false
}

// moves counts the period's steps between tiers, and tells of the last.
func (m *modelInput) moves() (Figure, string) {
	var rows []int64
	var last *store.Decision
	applied, reverted, begun := 0, 0, 0
	for i := range m.Decisions {
		d := &m.Decisions[i]
		if d.Time.Before(m.From) {
			continue
		}
		rows, last = append(rows, d.Row), d
		switch d.State {
		case store.Applied:
			applied++
		case store.Reverted:
			reverted++
		default:
			begun++
		}
	}
	f := Figure{Name: "decisions", Label: "steps between tiers", Unit: steps, N: int64(len(rows)), Of: steps, From: m.From, Until: m.Until, Method: "count of the period's", Sources: rowsOf(store.Decisions, rows)}
	f = f.set(float64(len(rows)), "")
	if last == nil {
		return f, "No step between tiers was decided."
	}
	return f, fmt.Sprintf("%s decided (%d applied, %d reverted, %d under way), the last from %s to %s %s: %s.",
		counted(f.N, "step between tiers was", "steps between tiers were"), applied, reverted, begun, last.From, last.To, age(last.Time, m.Made), strings.TrimSuffix(last.Reason, "."))
}

// How much dearer the second half of the period may be than the first before somebody should look. A tenth is within what two days differ by where
// prompts are of other lengths; a quarter is a machine more for every four.
const (
	dearer   = 10.0 // percent
	muchMore = 25.0
)

// leastHalf is the share of the period's tokens that each half has for the two to be compared: of a handful of requests the price is that of an idle
// process.
const leastHalf = 0.1

// computeCost looks at what a thousand tokens cost, and whether that grows.
func (m *modelInput) computeCost() Risk {
	r := Risk{Name: "compute cost", Mitigation: "Costs are counted by model, tier, tenant and class; caching, batching and lower tiers bring them down where the recommendations say by how much."}
	middle := m.From.Add(m.Until.Sub(m.From) / 2)
	all := m.dear("cost", "cost", m.Costs)
	first := m.dear("cost_before", "cost in the first half", where(m.Costs, func(c *store.Cost) bool { return !c.Until.After(middle) }))
	second := m.dear("cost_after", "cost in the second half", where(m.Costs, func(c *store.Cost) bool { return c.Until.After(middle) }))
	r.Figures = []Figure{all, first, second}
	if all.Value == nil {
		r.Priority, r.Status, r.Text = Medium, Unwatched, "What tokens cost is missing: "+all.Missing+"."
		return r
	}
	r.Text = fmt.Sprintf("1,000 tokens cost %s core-seconds, of %s counted", number(*all.Value), counted(all.N, "token", "tokens"))
	if float64(min(first.N, second.N)) < leastHalf*float64(all.N) || *first.Value <= 0 {
		r.Priority, r.Status = Low, Watch
		r.Text += "; whether that grows is not known: half of the period has too few of them."
		return r
	}
	grows := 100 * (*second.Value - *first.Value) / *first.Value
	switch {
	case grows > muchMore:
		r.Priority, r.Status = High, Open
	case grows > dearer:
		r.Priority, r.Status = Medium, Watch
	default:
		r.Priority, r.Status = Low, Clear
	}
	r.Text += fmt.Sprintf("; from the first half of the period to the second that changed by %s, from %s to %s.", signed(grows, percent), number(*first.Value), number(*second.Value))
	return r
}

// dear is the core-seconds of a thousand tokens, prompts and answers, with what the process took besides.
func (m *modelInput) dear(name, label string, costs []store.Cost) Figure {
	p := measure.PriceOf(costs)
	f := Figure{Name: name, Label: label, Unit: coreSeconds, N: p.CountedTokens, Of: "tokens", From: m.From, Until: m.Until, Method: "core-seconds of steps and overhead over tokens of prompts and answers",
		Sources: rowsOf(store.Costs, p.CountedRows)}
	return f.set(p.CoreSecondsPerThousand(), "no cost of a token was counted")
}

// stale is how old scores may be: suites are meant to be run at least once a day, and a week leaves out none.
const stale = 7 * 24 * time.Hour

// coverage looks at whether what is served has been scored.
func (m *modelInput) coverage() Risk {
	r := Risk{Name: "coverage", Mitigation: "Run suites of the kinds of input that are served: those of the program (qa, edge, nuance) and your own."}
	tier := m.served()
	var suites, rows = 0, []int64{}
	items, newest := int64(0), time.Time{}
	for _, suite := range m.suites() {
		for i, name := range m.metrics(suite) {
			row := m.latest(suite, name, "", tier)
			if row == nil || i > 0 {
				continue
			}
			suites, items, rows = suites+1, items+row.N, append(rows, row.Row)
			if row.Time.After(newest) {
				newest = row.Time
			}
		}
	}
	f := Figure{Name: "scored_items", Label: "items of suites that what is served was scored on", Unit: "items", N: items, Of: "items", From: m.From, Until: m.Until,
		Method: "sum over suites of the newest run", Sources: rowsOf(store.Scores, rows)}
	if suites == 0 {
		why := "no suite was run on what is served"
		r.Priority, r.Status, r.Text, r.Figures = High, Unwatched, "What is served is covered by nothing: "+why+ofTier(tier)+".", []Figure{f.missing(why)}
		return r
	}
	f = f.set(float64(items), "")
	r.Figures = []Figure{f}
	r.Priority, r.Status = Low, Clear
	if m.Made.Sub(newest) > stale {
		r.Priority, r.Status = Medium, Watch
	}
	r.Text = fmt.Sprintf("What is served was scored on %s of %s, last %s.", counted(items, "item", "items"), counted(int64(suites), "suite", "suites"), age(newest, m.Made))
	if parts, _ := m.uncovered(); len(parts) > 0 {
		r.Priority, r.Status = Medium, Watch
		f := Figure{Name: "uncovered", Label: "parts of the requests that suites lack", Unit: "parts", N: int64(len(parts)), Of: "parts", From: m.From, Until: m.Until, Method: "count of those noticed in the period",
			Sources: rowsOf(store.Alarms, numbers(parts, func(a *store.Alarm) int64 { return a.Row }))}
		r.Figures = append(r.Figures, f.set(float64(len(parts)), ""))
		var names []string
		for i := range parts {
			names = append(names, parts[i].Series)
		}
		r.Text += " Suites lack: " + strings.Join(names, "; ") + "."
	}
	return r
}

// uncovered are the alarms that tell of parts of the requests which suites lack, and the others.
func (m *modelInput) uncovered() (parts, rest []store.Alarm) {
	of := func(a *store.Alarm) bool { return a.Detector == coverageDetector }
	return where(m.Alarms, of), where(m.Alarms, func(a *store.Alarm) bool { return !of(a) })
}

// coverageDetector is by what a part of the requests was noticed that suites lack.
const coverageDetector = "coverage"

// drift looks at the period's other alarms.
func (m *modelInput) drift() Risk {
	_, raised := m.uncovered()
	r := Risk{Name: "drift", Mitigation: "Detectors watch scores over time; an alarm starts suites, and these decide."}
	f := Figure{Name: "alarms", Label: "alarms", Unit: alarms, N: int64(len(raised)), Of: alarms, From: m.From, Until: m.Until, Method: "count of the period's",
		Sources: rowsOf(store.Alarms, numbers(raised, func(a *store.Alarm) int64 { return a.Row }))}
	switch {
	case len(raised) > 0:
		last := &raised[len(raised)-1]
		r.Priority, r.Status = High, Open
		r.Text = fmt.Sprintf("%s, the last %s: %s, by %s.", counted(f.N, "alarm was raised", "alarms were raised"), age(last.Time, m.Made), last.Series, last.Detector)
		r.Figures = []Figure{f.set(float64(len(raised)), "")}
	case len(m.Scores) == 0:
		why := "there are no scores that could drift"
		r.Priority, r.Status, r.Text, r.Figures = Medium, Unwatched, "Drift is not watched: "+why+".", []Figure{f.missing(why)}
	default:
		r.Priority, r.Status, r.Text, r.Figures = Low, Clear, "No alarm was raised.", []Figure{f.set(0, "")}
	}
	return r
}

// historyRisks are those of what the report stands on.
func (in *Input) historyRisks() []Risk {
	count := func(name, label, method string, n int64) Figure {
		f := Figure{Name: name, Label: label, Unit: rowsUnit, N: n, Of: rowsUnit, From: in.From, Until: in.Until, Method: method, Sources: []Source{}}
		return f.set(float64(n), "")
	}
	d := Risk{Name: "damage of the history", Priority: Low, Status: Clear, Figures: []Figure{count("damaged_rows", "damaged rows", "checksums that are another's, found since the daemon's start", in.Health.Damaged)},
		Mitigation: "Each row has a checksum; damaged ones are left out of figures and named. Keep a copy of the file, and look at the disk."}
	d.Text = counted(in.Health.Damaged, "damaged row was found.", "damaged rows were found.")
	if in.Health.Damaged > 0 || len(in.Problems) > 0 {
		d.Priority, d.Status = High, Open
	}
	if in.Health.Problem != "" {
		d.Priority, d.Status, d.Text = High, Open, fmt.Sprintf("%s The history takes no rows since %s: %s.", d.Text, in.Health.Since.UTC().Format("2006-01-02 15:04"), in.Health.Problem)
	}
	lost := in.Health.Dropped + in.Health.Refused
	l := Risk{Name: "dropped samples", Priority: Low, Status: Clear, Figures: []Figure{
		count("dropped_rows", "rows dropped", "rows that found no room to wait, since the daemon's start", in.Health.Dropped),
		count("refused_rows", "rows refused", "rows that the database did not take, since the daemon's start", in.Health.Refused)},
		Mitigation: "Rows wait in memory while the disk takes none; what finds no room is counted. A faster disk or a shorter retention leaves more."}
	l.Text = fmt.Sprintf("%s dropped and %s refused since the daemon's start.", counted(in.Health.Dropped, "measurement was", "measurements were"), grouped(fmt.Sprint(in.Health.Refused)))
	if lost > 0 {
		l.Priority, l.Status = Medium, Watch
	}
	return []Risk{d, l}
}
