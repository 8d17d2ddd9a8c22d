package daemon

import (
	"chimera/engine"
)

// This file owns running an instance without a scheduler: what the offline verbs need.

// evaluator feeds one sequence at a time to an instance.
type evaluator struct {
	in     engine.Instance
	batch  *engine.Batch
	tables []engine.PageTable // (groups)
}

func newEvaluator(in engine.Instance) (*evaluator, error) {
	b, err := in.NewBatch()
	if err != nil {
		return nil, err
	}
	return &evaluator{in: in, batch: b, tables: make([]engine.PageTable, len(in.Limits().Groups))}, nil
}

// step feeds tokens at positions first, first+1 ... and asks for outputs on the given rows.
func (e *evaluator) step(tokens []int32, first int, outputs []engine.Output) error {
	l := e.in.Limits()
	if first+len(tokens) > l.MaxContext {
		return &engine.TooLongError{Tokens: first + len(tokens), MaxTokens: l.MaxContext}
	}
	e.batch.Reset()
	e.batch.Generation = e.in.Generation()
	for g := range l.Groups {
		tableInTurn(&e.tables[g], l.Groups[g], first, first+len(tokens))
	}
	if _, err := e.batch.AddSequence(tokens, first, e.tables); err != nil {
		return err
	}
	for _, o := range outputs {
		if _, err := e.batch.AddOutput(o, nil, nil); err != nil {
			return err
		}
	}
	return e.compute()
}

// compute runs the step that is in the batch.
func (e *evaluator) compute() error {
	if err := e.in.Submit(e.batch); err != nil {
		return err
	}
	if err := e.in.Wait(); err != nil {
		return err
	}
	for i := range e.batch.Outputs {
		if err := e.batch.OutputError(i); err != nil {
			return err
		}
	}
	return nil
}

// tableInTurn gives a sequence that is alone the pool's pages in turn: those of a window come round again when nobody sees
// them any more.
func tableInTurn(t *engine.PageTable, g engine.GroupLimits, first, last int) {
	t.Base, t.Pages = g.FirstSeen(first)/engine.PageTokens, t.Pages[:0]
	for page := t.Base; page*engine.PageTokens < last; page++ {
		t.Pages = append(t.Pages, int32(page%g.Pages))
	}
}

// chunk is how many tokens a step takes.
func (e *evaluator) chunk() int { return e.in.Limits().MaxTokens }

// rows calls yield with the raw logits at positions from on, in order. The slice is reused.
func (e *evaluator) rows(ids []int32, from int, yield func(position int, logits []float32) error) error {
	l := e.in.Limits()
	for first := 0; first < len(ids); {
		n := min(e.chunk(), len(ids)-first)
		if first+n > from { // whole rows are few: small chunks where they are wanted
			n = min(n, max(l.MaxRows, from-first))
		}
		var outputs []engine.Output
		for i := max(from-first, 0); i < n; i++ {
			outputs = append(outputs, engine.Output{Row: int32(i), Mode: engine.WholeRow})
		}
		if len(outputs) > l.MaxRows { // the chunk reaches from before `from` into it
			n -= len(outputs) - l.MaxRows
			outputs = outputs[:l.MaxRows]
		}
		if err := e.step(ids[first:first+n], first, outputs); err != nil {
			return err
		}
		for i, o := range outputs {
			row := e.batch.Logits[i*l.Vocab:][:l.Vocab]
			if err := yield(first+int(o.Row), row); err != nil {
				return err
			}
		}
		first += n
	}
	return nil
}

// scores returns, for positions from .. len(ids)-2, the log-probability of the token that follows.
func (e *evaluator) scores(ids []int32, from int) ([]float64, error) {
	var all []float64
	for first := 0; first < len(ids)-1; first += e.chunk() {
		n := min(e.chunk(), len(ids)-1-first)
		var outputs []engine.Output
		for i := max(from-first, 0); i < n; i++ {
			outputs = append(outputs, engine.Output{Row: int32(i), Mode: engine.Score | engine.LogSumExp, Target: ids[first+i+1]})
		}
		if err := e.step(ids[first:first+n], first, outputs); err != nil {
			return nil, err
		}
		for i := range outputs {
			r := e.batch.Results[i]
			all = append(all, float64(r.TargetLogit)-float64(r.LogSumExp))
		}
	}
	return all, nil
}
