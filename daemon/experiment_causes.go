package daemon

import (
	"context"
	"fmt"

	"chimera/api"
	"chimera/quality/experiment"
	"chimera/quality/score"
	"chimera/store"
)

// This file owns root causes: the same questions answered as they are served, and with one factor alone as for the control. What is compared is the text, by
// chrF2 against the control's, as for live answers (docs/QUALITY.md): the control has 100, whatever it is asked.
//
// The control is the source with a KV cache that rounds nothing, that finds nothing computed, cuts no answer and asks nobody else.

// exactKV rounds nothing.
const exactKV = "f32"

// restored is a factor as for the control.
type restored struct {
	name, off, on string
	apply         func(*armSpec)
}

// restorable are the factors that are not as for the control. That of the cache always is measured: by the numeric contract it costs nothing.
func (s *armSpec) restorable() []restored {
	list := []restored{{"cache", "shared", "each alone", func(a *armSpec) { a.alone = true }}}
	add := func(differs bool, r restored) {
		if differs {
			list = append(list, r)
		}
	}
	add(s.tier != api.SourceTier, restored{"tier", s.tier, api.SourceTier, func(a *armSpec) { a.tier, a.budget = api.SourceTier, 0 }})
	add(s.kv != exactKV, restored{"KV type", s.kv, exactKV, func(a *armSpec) { a.kv = exactKV }})
	add(s.budget > 0, restored{"escalation", fmt.Sprintf("budget %g", s.budget), "off", func(a *armSpec) { a.budget = 0 }})
	add(s.cutsAny(), restored{"cut answers", "as clients ask", "whole", func(a *armSpec) { a.cuts = nil }})
	return list
}

func (s *armSpec) cutsAny() bool {
	for _, n := range s.cuts {
		if n > 0 {
			return true
		}
	}
	return false
}

// causes finds what a loss of quality is due to.
func (l *laboratory) causes(ctx context.Context) error {
	served := l.served()
	served.cuts = l.cuts
	return l.divide(ctx, served)
}

// divide has all questions answered as served, with each factor restored alone, and with all.
func (l *laboratory) divide(ctx context.Context, served armSpec) error {
	if len(l.questions) < 2 {
		return fmt.Errorf("there are %d questions: set quality.suites", len(l.questions))
	}
	texts, all := map[string][]api.Tried{}, served
	factors := served.restorable()
	for _, f := range factors {
		one := served
		f.apply(&one)
		f.apply(&all)
		if err := l.say(ctx, texts, f.name, one); err != nil {
			return err
		}
	}
	if err := l.say(ctx, texts, experiment.All, all); err != nil {
		return err
	}
	if err := l.say(ctx, texts, "", served); err != nil {
		return err
	}
	return l.writeCauses(factors, texts)
}

// say notes what an arm answers.
func (l *laboratory) say(ctx context.Context, texts map[string][]api.Tried, name string, spec armSpec) error {
	a, err := l.arm(ctx, spec, false)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer a.close()
	texts[name], err = l.answers(ctx, a)
	return err
}

// writeCauses scores the texts and writes what comes back.
func (l *laboratory) writeCauses(factors []restored, texts map[string][]api.Tried) error {
	rows := map[string]experiment.Answers{}
	for name, list := range texts {
		for i := range list {
			rows[name] = append(rows[name], score.ChrF{}.Counts(list[i].Text, []string{texts[experiment.All][i].Text}))
		}
	}
	served := rows[""]
	delete(rows, "")
	var tags [][]string
	for _, q := range l.questions {
		tags = append(tags, q.tags)
	}
	effects, err := experiment.Causes(served, rows, tags, score.ChrF{}.Score, 1)
	if err != nil {
		return err
	}
	row := store.Experiment{Kind: store.CauseRestored, Method: "paired replay of " + l.askedBy()}
	var list []store.Experiment
	for _, e := range effects {
		row.Factor, row.Off, row.On, row.Measure = e.Measure, "as served", "as for the control", "chrf"
		row.Before, row.After, row.Low, row.High, row.N = e.Before, e.After, e.Difference.Low, e.Difference.High, int64(len(served))
		for _, f := range factors {
			if f.name == e.Measure {
				row.Off, row.On = f.off, f.on
			}
		}
		list = append(list, row)
	}
	return l.write(list)
}
