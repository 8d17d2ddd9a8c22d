package simulator

import (
	"fmt"
	"io"
	"text/tabwriter"

	"chimera/scheduler/trace"
)

// This file owns what a simulation found.

// Report is what came of a trace. Times are in milliseconds of the simulated clock; shares are 0 to 1.
type Report struct {
	Requests int      `json:"requests"`
	Answered int      `json:"answered"`
	Refused  Refusals `json:"refused"`
	Seconds  float64  `json:"seconds"` // from the first arrival to the last answer

	QPS         float64 `json:"qps"`         // answers a second
	GoodputQPS  float64 `json:"goodput_qps"` // of which both objectives were kept
	Goodput     float64 `json:"goodput"`     // their share of all requests
	TTFTms      float64 `json:"ttft_objective_ms"`
	ITLms       float64 `json:"itl_objective_ms"`
	PromptRate  float64 `json:"prompt_tokens_per_second"`
	AnswerRate  float64 `json:"answer_tokens_per_second"`
	TTFT        Times   `json:"ttft_ms"`
	ITL         Times   `json:"itl_ms"`
	E2E         Times   `json:"e2e_ms"`
	Wait        Times   `json:"wait_ms"` // in the queue
	Queue       float64 `json:"queue_mean"`
	LongestWait int     `json:"queue_longest"`
	Running     float64 `json:"running_mean"`

	HitShare    float64 `json:"prefix_hit_share"`                // of prompts' tokens
	Prefill     float64 `json:"prefill_tokens_per_prompt_token"` // above 1 - hits: computed again
	Preemptions uint64  `json:"preemptions"`
	Discarded   uint64  `json:"discarded_tokens"`

	Steps  uint64  `json:"steps"`
	StepMS float64 `json:"step_ms_mean"`
	Busy   float64 `json:"device_busy_share"`
	Tokens uint64  `json:"tokens"` // computed or taken from the cache

	Fairness *Fairness `json:"fairness,omitzero"`
	Classes  []Part    `json:"classes,omitzero"`
	Tenants  []Part    `json:"tenants,omitzero"`
}

// Fairness is how evenly tenants were served, in the mean of the windows of ten seconds in which several had somebody waiting for a
// first token all the time.
type Fairness struct {
	Windows  int     `json:"windows"`
	Jain     float64 `json:"jain"`      // 1: all alike
	MinShare float64 `json:"min_share"` // what the one served least had, of an even share
}

// Part is what came of some of the requests.
type Part struct {
	Name     string  `json:"name"`
	Requests int     `json:"requests"`
	Answered int     `json:"answered"`
	Goodput  float64 `json:"goodput"`
	TTFT     Times   `json:"ttft_ms"`
	ITL      Times   `json:"itl_ms"`
}

func (s *simulation) report() *Report {
	a, snap := s.tally, s.lane.Snapshot()
	seconds := max(a.lastAt.Sub(a.began).Seconds(), 1e-9)
	r := &Report{
		Requests: a.all.requests, Answered: a.all.answered, Refused: a.refusals, Seconds: seconds,
		QPS: float64(a.all.answered) / seconds, GoodputQPS: float64(a.all.good) / seconds, Goodput: share(a.all.good, a.all.requests),
		TTFTms: a.objectives.TTFT.Seconds() * 1e3, ITLms: a.objectives.ITL.Seconds() * 1e3,
		PromptRate: float64(a.all.prompt) / seconds, AnswerRate: float64(a.all.answer) / seconds,
		TTFT: a.all.ttft.times(), ITL: a.all.itl.times(), E2E: a.all.e2e.times(), Wait: a.all.wait.times(),
		Queue: a.queue / max(a.seconds, 1e-9), LongestWait: a.longest, Running: a.runs / max(a.seconds, 1e-9),
		HitShare: share(a.all.cached, a.all.prompt), Prefill: share(int(snap.PrefillTokens+snap.DiscardedTokens), a.all.prompt),
		Preemptions: snap.Preemptions, Discarded: snap.DiscardedTokens,
		Steps: snap.Steps, Busy: s.device.busy.Seconds() / seconds,
		Tokens: snap.PrefillTokens + snap.DecodeTokens + snap.DiscardedTokens + snap.PrefixTokens,
	}
	r.StepMS = s.device.busy.Seconds() * 1e3 / float64(max(snap.Steps, 1))
	if len(a.jain) > 0 {
		r.Fairness = &Fairness{Windows: len(a.jain), Jain: mean(a.jain), MinShare: mean(a.least)}
	}
	if len(a.classes) > 1 {
		for _, c := range sortedKeys(a.classes) {
			r.Classes = append(r.Classes, a.classes[c].part(trace.ClassName(c)))
		}
	}
	if len(a.tenants) > 1 {
		for _, name := range sortedKeys(a.tenants) {
			r.Tenants = append(r.Tenants, a.tenants[name].part(name))
		}
	}
	return r
}

func (r *Refusals) all() int { return r.Queue + r.Wait + r.Deadline + r.TooLong + r.Other }

func (g *group) part(name string) Part {
	return Part{Name: name, Requests: g.requests, Answered: g.answered, Goodput: share(g.good, g.requests), TTFT: g.ttft.times(), ITL: g.itl.times()}
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Print writes the report for people.
func (r *Report) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "requests\t%d: %d answered, %d refused (queue full %d, too long a wait %d, deadline %d, longer than the context %d, other %d)\n", r.Requests, r.Answered,
		r.Refused.all(), r.Refused.Queue, r.Refused.Wait, r.Refused.Deadline, r.Refused.TooLong, r.Refused.Other)
	fmt.Fprintf(w, "time\t%.1f s, %d steps of %.1f ms, the device busy for %.1f%%\n", r.Seconds, r.Steps, r.StepMS, 100*r.Busy)
	fmt.Fprintf(w, "goodput\t%.3f/s of %.3f/s (%.1f%% of all requests: first token within %.0f ms, tokens %.0f ms apart)\n", r.GoodputQPS, r.QPS, 100*r.Goodput, r.TTFTms, r.ITLms)
	fmt.Fprintf(w, "tokens\t%.0f of prompts and %.1f of answers a second\n", r.PromptRate, r.AnswerRate)
	fmt.Fprintf(w, "prefixes\t%.1f%% of prompts' tokens from the cache, %.2f computed for each\n", 100*r.HitShare, r.Prefill)
	fmt.Fprintf(w, "queue\t%.1f in the mean, %d at most; %.1f running; %d preemptions\n", r.Queue, r.LongestWait, r.Running, r.Preemptions)
	if r.Fairness != nil {
		fmt.Fprintf(w, "fairness\tJain's index %.3f, the least share %.2f of an even one, in %d windows\n", r.Fairness.Jain, r.Fairness.MinShare, r.Fairness.Windows)
	}
	fmt.Fprintf(w, "\nms\tmean\tp50\tp90\tp95\tp99\tmax\n")
	for _, row := range []struct {
		name string
		Times
	}{{"TTFT", r.TTFT}, {"ITL", r.ITL}, {"end to end", r.E2E}, {"in the queue", r.Wait}} {
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\n", row.name, row.Mean, row.P50, row.P90, row.P95, row.P99, row.Max)
	}
	for _, list := range []struct {
		name  string
		parts []Part
	}{{"class", r.Classes}, {"tenant", r.Tenants}} {
		if len(list.parts) > 0 {
			fmt.Fprintf(w, "\n%s\trequests\tanswered\tgood\tTTFT p50\tTTFT p95\tITL p50\tITL p99\n", list.name)
		}
		for _, p := range list.parts {
			fmt.Fprintf(w, "%s\t%d\t%d\t%.1f%%\t%.0f\t%.0f\t%.0f\t%.0f\n", p.Name, p.Requests, p.Answered, 100*p.Goodput, p.TTFT.P50, p.TTFT.P95, p.ITL.P50, p.ITL.P99)
		}
	}
	return w.Flush()
}
