package report

import (
	"fmt"
	"slices"
)

// This file owns the Executive Summary: what is said of a model, from its figures alone.

// summary is a model's statements, in the order in which they matter.
func (m *modelInput) summary(s serving, c Cause) []Statement {
	list := append([]Statement{throughput(&s), latency(&s), m.reliability(&s), m.cost()}, m.quality()...)
	if m.ofAllTenants() {
		list = slices.Insert(list, 3, m.utilisation(), m.headroom().statement())
	}
	if weak, any := m.weakness(); any {
		list = append(list, weak)
	}
	return append(list, m.agreesWithPeople(), c.Statement)
}

func throughput(s *serving) Statement {
	t := Statement{Topic: "Throughput", Status: status(s.qps), Figures: []Figure{s.qps, s.peak}}
	if s.qps.Value == nil {
		t.Text = "Throughput is missing: " + s.qps.Missing + "."
		return t
	}
	t.Text = fmt.Sprintf("It completed %s in the mean", countedRate(s.qps))
	if o := s.qps.Objective; o != nil {
		t.Text += ", " + o.distance(perSecond)
		if o.Status == Unasked {
			t.Text += " (nobody asked for more)"
		}
	}
	if s.peak.Value != nil {
		t.Text += ", and " + countedRate(s.peak) + " at its peak"
		if o := s.peak.Objective; o != nil {
			t.Text += " (" + o.share() + ")"
		}
	}
	t.Text += "; " + counted(s.qps.N, "request", "requests") + "."
	return t
}

// countedRate is a rate in words.
func countedRate(f Figure) string { return number(*f.Value) + " queries a second" }

func latency(s *serving) Statement {
	t := Statement{Topic: "Time to the first token", Status: status(s.ttft, s.p95), Figures: []Figure{s.ttft, s.p50, s.p95, s.p99}}
	if s.ttft.Value == nil {
		t.Text = "The time to the first token is missing: " + s.ttft.Missing + "."
		return t
	}
	t.Text = "The first token came after " + s.ttft.Text() + " in the mean" + behind(s.ttft) +
		"; half of them came within " + s.p50.Text() + ", 95 % within " + s.p95.Text() + behind(s.p95) + ", 99 % within " + s.p99.Text() +
		"; " + counted(s.ttft.N, "interactive request", "interactive requests") + "."
	return t
}

// behind is the distance from the objective, if there is one, as it stands behind the value.
func behind(f Figure) string {
	if f.Objective == nil {
		return ""
	}
	return " (" + f.Objective.distance(f.Unit) + ")"
}

func (m *modelInput) reliability(s *serving) Statement {
	t := Statement{Topic: "Requests", Status: Fine, Figures: []Figure{s.completed, s.lost}}
	t.Text = fmt.Sprintf("%s completed, %s failed by the server's fault, %s refused, and %s cancelled by their clients.",
		counted(s.completed.N, "request was", "requests were"), count(s.failed), count(s.refused), count(s.cancelled))
	if s.completed.Value == nil {
		t.Status, t.Text = NotThere, "Requests are missing: "+s.completed.Missing+"."
	} else if *s.lost.Value > 0 {
		t.Status = Attention
	}
	if s.nameless == nil {
		return t
	}
	t.Status, t.Figures = Attention, append(t.Figures, *s.nameless)
	t.Text += " " + counted(s.nameless.N, "more was", "more were") + " refused or failed before their model was known"
	if !m.alone {
		t.Text += ", of whichever model"
	}
	t.Text += "."
	return t
}
