package daemon

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"chimera/api"
	"chimera/config"
	"chimera/internal/fixtures"
	document "chimera/internal/tables"
	"chimera/quality/escalate"
	"chimera/quality/score"
	"chimera/quality/stats"
)

// This file owns what escalation is worth, measured on the translation model at two bits: how much worse the answers are that it picks than any, and how
// much better they become. The threshold is the rule's own, of one half; what is measured is the other.

// translated is a line as a tier has translated it.
type translated struct {
	prompt, tokens int
	text           string
	logprobs       []float64 // of the answer's tokens, also the one that ends it
	top            []float64 // of the likeliest first tokens
}

func (a *translated) mean() float64 {
	sum := 0.0
	for _, x := range a.logprobs {
		sum += x
	}
	return sum / float64(len(a.logprobs))
}

// entropy is that of the first token, of which what is not among the likeliest counts as one.
func (a *translated) entropy() float64 {
	rest, sum := 1.0, 0.0
	for _, x := range a.top {
		rest -= math.Exp(x)
		sum -= math.Exp(x) * x
	}
	return sum - max(rest, 1e-9)*math.Log(max(rest, 1e-9))
}

// half is one half of the suite: what was asked, the references, and what the tier and the source answer.
type half struct {
	questions, references []string
	draft, source         []translated
}

// readHalf reads the first lines of a file of the suite.
func readHalf(t *testing.T, file string, lines int) (h half) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(fixtures.SharedDir(t, "CHIMERA_MT", "mt"), "suite", file))
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		var line struct {
			Input      string
			References []string
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		if i < lines {
			h.questions, h.references = append(h.questions, line.Input), append(h.references, line.References[0])
		}
	}
	return h
}

// atTier is a daemon of the translation model.
func atTier(t *testing.T, tier string, change func(*config.Config)) *remembering {
	mt := fixtures.SharedDir(t, "CHIMERA_MT", "mt")
	return newRememberingOn(t, onTheCPU(t), func(c *config.Config) {
		c.Model = []config.Model{{Path: filepath.Join(mt, "gguf", "f32.gguf"), Name: "mt", Load: config.LoadAtStart}}
		c.Device, c.Threads, c.StepTokens, c.MaxSequences, c.MaxLogprobs, c.Tiers.Start = "cpu", 2, 256, 16, 20, tier
		c.Quality.EdgeBudget = 0
		if change != nil {
			change(c)
		}
	})
}

// translate asks for all lines.
func (r *remembering) translate(questions []string) []translated {
	answers := make([]translated, len(questions))
	var group sync.WaitGroup
	places := make(chan struct{}, 16)
	for i, question := range questions {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			answers[i] = r.translateOne(question)
		})
	}
	group.Wait()
	return answers
}

func (r *remembering) translateOne(question string) (done translated) {
	var a struct {
		Choices []struct {
			Message  struct{ Content string }
			Logprobs struct {
				Content []struct {
					Logprob float64
					Top     []struct{ Logprob float64 } `json:"top_logprobs"`
				}
			}
		}
		Usage struct {
			Prompt int `json:"prompt_tokens"`
			Answer int `json:"completion_tokens"`
		}
	}
	status, _, text := r.do("POST", "/v1/chat/completions", "", map[string]any{
		"messages": []map[string]string{{"role": "user", "content": question}}, "temperature": 0, "max_tokens": 128,
		"logprobs": true, "top_logprobs": 20, "include_stop_str_in_output": true,
	})
	if err := json.Unmarshal(text, &a); err != nil || status != 200 || len(a.Choices) != 1 {
		r.t.Errorf("%d %s", status, text)
		return done
	}
	done = translated{prompt: a.Usage.Prompt, tokens: a.Usage.Answer, text: a.Choices[0].Message.Content}
	for i, token := range a.Choices[0].Logprobs.Content {
		done.logprobs = append(done.logprobs, token.Logprob)
		for _, x := range token.Top {
			if i == 0 {
				done.top = append(done.top, x.Logprob)
			}
		}
	}
	return done
}

// halves are both, as the tier q2_k and the source translate so many lines of each.
func halves(t *testing.T, tuning, sealed int) (dev, test half) {
	dev, test = readHalf(t, "dev.jsonl", tuning), readHalf(t, "test.jsonl", sealed)
	low, whole := atTier(t, "q2_k", nil), atTier(t, api.SourceTier, nil)
	dev.draft, test.draft = low.translate(dev.questions), low.translate(test.questions)
	dev.source, test.source = whole.translate(dev.questions), whole.translate(test.questions)
	if t.Failed() {
		t.FailNow()
	}
	return dev, test
}

// total are the tokens of all drafts and their prompts.
func (h *half) total() (n int) {
	for _, a := range h.draft {
		n += a.prompt + a.tokens
	}
	return n
}

// first picks lines in an order as long as the budget pays for them, each at its cost.
func (h *half) first(order []int, budget float64, cost func(*translated) int) (picked []bool) {
	left := budget * float64(h.total())
	picked = make([]bool, len(h.draft))
	for _, i := range order {
		if left -= float64(cost(&h.draft[i])); left < 0 {
			break
		}
		picked[i] = true
	}
	return picked
}

func wholeCost(a *translated) int   { return a.prompt + a.tokens }
func openingCost(a *translated) int { return a.prompt + 1 }

// by orders lines, the least value first.
func (h *half) by(value func(i int) float64) []int {
	order := make([]int, len(h.draft))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(value(a), value(b)) })
	return order
}

// threshold is the rule's for this budget, when it has seen the drafts.
func (h *half) threshold(budget float64) float64 {
	rule := escalate.New(budget)
	for rule.Of("q2_k").Tokens < 1_000_000 { // in turns, so that it is of all of them
		for i := range h.draft {
			a := &h.draft[i]
			rule.Answered(escalate.Answer{Tier: "q2_k", Kind: escalate.Whole, Confidence: a.mean(), Prompt: a.prompt, Tokens: a.tokens}, a.tokens)
		}
	}
	return rule.Of("q2_k").Whole
}

// below picks the lines under a threshold, as they come, as long as the budget pays for them.
func (h *half) below(threshold, budget float64) []bool {
	var order []int
	for i := range h.draft {
		if h.draft[i].mean() < threshold {
			order = append(order, i)
		}
	}
	return h.first(order, budget, wholeCost)
}

var chrF = score.ChrF{}

// rows are the counts of chrF of each line: draft against source, draft against reference, source against reference; each of all lines, then of
// those that were picked.
func (h *half) rows(picked []bool) (rows [][]float64, request []int) {
	for i := range h.draft {
		var row []float64
		for _, pair := range [][2]string{{h.draft[i].text, h.source[i].text}, {h.draft[i].text, h.references[i]}, {h.source[i].text, h.references[i]}} {
			counts := chrF.Counts(pair[0], []string{pair[1]})
			row = append(row, counts...)
			for _, n := range counts {
				if !picked[i] {
					n = 0
				}
				row = append(row, n)
			}
		}
		rows, request = append(rows, row), append(request, i)
	}
	return rows, request
}

// gains are chrF as rows sum up to it.
type gains struct {
	fidelity, fidelityOfAll float64 // of drafts, against the source
	draft, source           float64 // of the picked, against references
	draftOfAll, sourceOfAll float64
}

func gainsOf(sum []float64) gains {
	n := len(sum) / 6
	at := func(i int) float64 { return chrF.Score(sum[i*n : (i+1)*n]) }
	return gains{fidelityOfAll: at(0), fidelity: at(1), draftOfAll: at(2), draft: at(3), sourceOfAll: at(4), source: at(5)}
}

// fallsShort is by how much the picked are worse than any, in points of chrF against the source.
func fallsShort(sum []float64) float64 {
	g := gainsOf(sum)
	return g.fidelityOfAll - g.fidelity
}

// gainsMore is by how much more of their chrF against references the picked gain than any would.
func gainsMore(sum []float64) float64 {
	g := gainsOf(sum)
	return 100 * ((g.source/g.draft - 1) - (g.sourceOfAll/g.draftOfAll - 1))
}

// measure is what a choice of lines comes to.
func (h *half) measure(t *testing.T, picked []bool) (g gains, worseBy, betterBy stats.Interval) {
	t.Helper()
	rows, request := h.rows(picked)
	sum := make([]float64, len(rows[0]))
	for _, row := range rows {
		for i, n := range row {
			sum[i] += n
		}
	}
	var err error
	if worseBy, err = stats.Bootstrap(rows, request, fallsShort, stats.Resampling{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	if betterBy, err = stats.Bootstrap(rows, request, gainsMore, stats.Resampling{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	return gainsOf(sum), worseBy, betterBy
}

// The direction on fewer lines, always: what lies below the other half's threshold is worse than any, surely, and is within the budget.
func TestEscalationPicksTheWorse(t *testing.T) {
	dev, test := halves(t, 300, 300)
	picked := test.below(dev.threshold(0.05), 0.05)
	g, worseBy, _ := test.measure(t, picked)
	t.Logf("fidelity %.1f, of all %.1f, worse by %+v", g.fidelity, g.fidelityOfAll, worseBy)
	if !(worseBy.Estimate >= 15 && worseBy.Low > 5) {
		t.Errorf("of drafts that are to be escalated the fidelity is %.1f, of all %.1f, worse by %+v", g.fidelity, g.fidelityOfAll, worseBy)
	}
}

// TestEscalationTable makes the tables of docs/ESCALATION.md: go test ./daemon -run EscalationTable -rewrite
func TestEscalationTable(t *testing.T) {
	if !*rewrite {
		t.Skip("with -rewrite it measures the translation model at two bits and at its source")
	}
	dev, test := halves(t, 500, 1000)
	for _, table := range []document.Table{test.worth(t, &dev), dev.openings()} {
		if err := table.Write("../docs/ESCALATION.md"); err != nil {
			t.Fatal(err)
		}
	}
}

// worth is what each budget buys, by thresholds of the other half; what is asked of it holds.
func (h *half) worth(t *testing.T, dev *half) document.Table {
	table := document.Table{Name: "worth", Head: []string{"budget", "threshold", "answers", "extra tokens", "chrF of drafts against the source", "of any", "worse by", "an oracle's drafts",
		"chrF against references, draft to source", "gain", "of any", "more by", "an oracle's gain", "of all answers"}}
	for _, budget := range []float64{0.01, 0.02, 0.05} {
		threshold := dev.threshold(budget)
		picked := h.below(threshold, budget)
		g, worseBy, betterBy := h.measure(t, picked)
		oracle := func(value func(i int) float64) gains {
			g, _, _ := h.measure(t, h.first(h.by(value), budget, wholeCost))
			return g
		}
		sentence := func(hypothesis, reference string) float64 {
			return chrF.Sentence(chrF.Counts(hypothesis, []string{reference}))
		}
		unlike := oracle(func(i int) float64 { return sentence(h.draft[i].text, h.source[i].text) })
		gainful := oracle(func(i int) float64 {
			return sentence(h.draft[i].text, h.references[i]) - sentence(h.source[i].text, h.references[i])
		})
		n, extra := 0, 0
		for i, is := range picked {
			if is {
				n, extra = n+1, extra+wholeCost(&h.draft[i])
			}
		}
		relative := func(g gains) float64 { return 100 * (g.source/g.draft - 1) }
		table.Rows = append(table.Rows, []string{
			fmt.Sprintf("%.0f %%", 100*budget), fmt.Sprintf("%.3f", threshold), fmt.Sprint(n), fmt.Sprintf("%.2f %%", 100*float64(extra)/float64(h.total())),
			fmt.Sprintf("%.1f", g.fidelity), fmt.Sprintf("%.1f", g.fidelityOfAll), fmt.Sprintf("%.1f (%.1f to %.1f)", worseBy.Estimate, worseBy.Low, worseBy.High), fmt.Sprintf("%.1f", unlike.fidelity),
			fmt.Sprintf("%.1f to %.1f", g.draft, g.source), fmt.Sprintf("%.0f %%", relative(g)), fmt.Sprintf("%.0f %%", 100*(g.sourceOfAll/g.draftOfAll-1)),
			fmt.Sprintf("%.0f %% (%.0f to %.0f)", betterBy.Estimate, betterBy.Low, betterBy.High), fmt.Sprintf("%.0f %%", relative(gainful)), h.overall(picked),
		})
		if budget == 0.01 && !(worseBy.Estimate >= 20 && worseBy.Low > 0) {
			t.Errorf("at 1 %% the picked are worse by %+v", worseBy)
		}
		if budget == 0.05 && !(relative(g) >= 12 && betterBy.Estimate > 0) {
			t.Errorf("at 5 %% the picked gain %.1f %%, %+v more than any", relative(g), betterBy)
		}
	}
	return table
}

// overall is chrF against references of all answers, before and with the picked ones escalated.
func (h *half) overall(picked []bool) string {
	var before, after []float64
	add := func(sum []float64, text, reference string) []float64 {
		counts := chrF.Counts(text, []string{reference})
		if sum == nil {
			return counts
		}
		for i, n := range counts {
			sum[i] += n
		}
		return sum
	}
	for i, is := range picked {
		text := h.draft[i].text
		before = add(before, text, h.references[i])
		if is {
			text = h.source[i].text
		}
		after = add(after, text, h.references[i])
	}
	return fmt.Sprintf("%.2f to %.2f", chrF.Score(before), chrF.Score(after))
}

// openings is what may be known at a prompt's end, and how much worse the drafts are that it picks: against the source, on the half that may be chosen by.
func (h *half) openings() document.Table {
	draft := func(of func(a *translated) float64) func(i int) float64 {
		return func(i int) float64 { return of(&h.draft[i]) }
	}
	table := document.Table{Name: "openings", Head: []string{"known", "1 %", "2 %", "5 %"}}
	for _, c := range []struct {
		name  string
		value func(i int) float64
	}{
		{"log-probability of the first token", draft(func(a *translated) float64 { return a.logprobs[0] })},
		{"its entropy", draft(func(a *translated) float64 { return -a.entropy() })},
		{"margin of the likeliest over the second", draft(func(a *translated) float64 { return a.top[0] - a.top[1] })},
		{"length of the prompt", draft(func(a *translated) float64 { return -float64(a.prompt) })},
		{"entropy times the logarithm of the length", draft(func(a *translated) float64 { return -a.entropy() * math.Log(float64(a.prompt)) })},
		{"the whole answer's mean, as no stream knows it", draft((*translated).mean)},
	} {
		row := []string{c.name}
		for _, budget := range []float64{0.01, 0.02, 0.05} {
			rows, _ := h.rows(h.first(h.by(c.value), budget, openingCost))
			sum := make([]float64, len(rows[0]))
			for _, counts := range rows {
				for i, n := range counts {
					sum[i] += n
				}
			}
			row = append(row, fmt.Sprintf("%.1f", gainsOf(sum).fidelity))
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}
