package daemon

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/loader"
	"chimera/quality/score"
	"chimera/quality/suite"
	"chimera/tokenizer"
)

// This file owns how far weights are from a model's own, by what both expect of the references of a suite: offline, for who chooses types by it.

// What is measured by. Of the translation model 1,000 places and 2,000 choose alike but for two of 43 matrices, and each place costs each
// candidate a row of a step.
const (
	mostPlaces     = 1000
	expectedTokens = 64 // of each place the likeliest: with the tail beside them they have the divergence but for a hundredth
)

// calibration is texts, and what the model itself expects at each place of their references.
type calibration struct {
	lines  []calibrationLine
	places []expectation
}

// calibrationLine is a text: the rows from `from` on are those behind which a token of the reference stands.
type calibrationLine struct {
	ids  []int32
	from int
}

// expectation is what a model expects at a place: its likeliest tokens, and the logarithms of their probabilities.
type expectation struct {
	ids  []int32
	logs []float64
}

// newCalibration tokenises a suite's references, each behind its question as clients ask it, until there are mostPlaces. Items without a reference, and those
// that are longer than the context, have no part in it.
func newCalibration(s *suite.Suite, l *loader.Loaded) (*calibration, error) {
	tok, err := loader.NewTokenizer(l.File)
	if err != nil {
		return nil, err
	}
	t, err := loader.NewTemplate(l.File, tok, &config.Config{})
	if err != nil {
		return nil, err
	}
	c, places := &calibration{}, 0
	for _, item := range s.Items {
		if len(item.References) == 0 || places >= mostPlaces {
			continue
		}
		prompt, err := questionIDs(&item, t.Template, tok)
		if err != nil {
			return nil, fmt.Errorf("suite %s, item %s: %w", s.Name, item.ID, err)
		}
		reference := tok.Encode(item.References[0], false, false)
		if len(prompt) == 0 || len(reference) == 0 || len(prompt)+len(reference) > l.Instance.Limits().MaxContext {
			continue
		}
		c.lines = append(c.lines, calibrationLine{append(prompt, reference...), len(prompt) - 1})
		places += len(reference)
	}
	if places == 0 {
		return nil, fmt.Errorf("suite %s has no item with a reference that fits the context: there is nothing to calibrate on", s.Name)
	}
	return c, nil
}

// questionIDs are an item's question as the model's template has it; without a template, its turns a line each.
func questionIDs(item *suite.Item, t api.Template, tok *tokenizer.Tokenizer) ([]int32, error) {
	if t == nil {
		text := ""
		for _, m := range item.Messages {
			text += m.Content + "\n"
		}
		return tok.Encode(text, true, false), nil
	}
	conversation, err := json.Marshal(map[string]any{"messages": item.Messages, "add_generation_prompt": true}, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	prompt, err := t.Render(conversation)
	if err != nil {
		return nil, err
	}
	return tok.EncodeRendered(prompt.Text, prompt.Literal), nil
}

// expect notes what the newest weights expect: they are what others are held against.
func (c *calibration) expect(ctx context.Context, e *evaluator) error {
	return c.each(ctx, e, func(logits []float32, total float64) error {
		p := expectation{ids: likeliest(logits, expectedTokens)}
		for _, id := range p.ids {
			p.logs = append(p.logs, min(float64(logits[id])-total, 0))
		}
		c.places = append(c.places, p)
		return nil
	})
}

// likeliest are the ids of the n largest logits.
func likeliest(logits []float32, n int) []int32 {
	var top []int32 // the largest first; of equals the lower id
	for id, x := range logits {
		if len(top) == n && !(x > logits[top[n-1]]) {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, x, func(of int32, x float32) int {
			if logits[of] >= x {
				return -1
			}
			return 1
		})
		top = slices.Insert(top, at, int32(id))
		top = top[:min(len(top), n)]
	}
	return top
}

// divergence is the mean over all places of the Kullback-Leibler divergence of the newest weights from those that expect was called with, in nats a
// token: see score.Divergence.
func (c *calibration) divergence(ctx context.Context, e *evaluator) (mean float64, err error) {
	at, logs := 0, make([]float64, expectedTokens)
	err = c.each(ctx, e, func(logits []float32, total float64) error {
		own := c.places[at]
		at++
		for i, id := range own.ids {
			logs[i] = min(float64(logits[id])-total, 0)
		}
		d, err := score.Divergence(own.logs, logs[:len(own.ids)])
		mean += d / float64(len(c.places))
		return err
	})
	return mean, err
}

// each calls yield with the logits of each place, and the logarithm of the sum of their exponentials.
func (c *calibration) each(ctx context.Context, e *evaluator, yield func(logits []float32, total float64) error) error {
	for _, line := range c.lines {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := e.line(line, yield); err != nil {
			return err
		}
	}
	return nil
}

// line feeds a text in steps that ask for as many places as a step may.
func (e *evaluator) line(line calibrationLine, yield func(logits []float32, total float64) error) error {
	l := e.in.Limits()
	last := len(line.ids) - 1 // the last token is behind the last place
	for first := 0; first < last; {
		end := min(first+l.MaxTokens, last, max(first, line.from)+l.MaxRows)
		var outputs []engine.Output
		for row := max(first, line.from); row < end; row++ {
			outputs = append(outputs, engine.Output{Row: int32(row - first), Mode: engine.WholeRow | engine.LogSumExp})
		}
		if err := e.step(line.ids[first:end], first, outputs); err != nil {
			return err
		}
		for i := range outputs {
			if err := yield(e.batch.Logits[i*l.Vocab:][:l.Vocab], float64(e.batch.Results[i].LogSumExp)); err != nil {
				return err
			}
		}
		first = end
	}
	return nil
}
