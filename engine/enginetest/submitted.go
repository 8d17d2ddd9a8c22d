package enginetest

import (
	"fmt"
	"math"
	"slices"

	"chimera/engine"
)

// This file owns the time between Submit and Wait: the batch is the instance's, and whoever touches it meanwhile is
// found out.

// pastVocabulary is what results read until they are there: no token, so that nobody can go on with it.
const pastVocabulary = math.MaxInt32

// submittedStep is a submitted step, with a copy of what was submitted.
type submittedStep struct {
	batch  *engine.Batch
	given  engine.Batch
	behind []func() // what was asked for after it
}

// take holds the batch: it notes what is in it and blots out the results of the step that it last held.
func take(b *engine.Batch) submittedStep {
	nan := float32(math.NaN())
	for i := range b.Results {
		b.Results[i] = engine.Result{Token: pastVocabulary, Logit: nan, LogSumExp: nan, TargetLogit: nan}
	}
	for i := range b.Top {
		b.Top[i] = engine.TopToken{Token: pastVocabulary, Logit: nan}
	}
	return submittedStep{batch: b, given: engine.Batch{
		Generation: b.Generation, Background: b.Background,
		Tokens: slices.Clone(b.Tokens), Positions: slices.Clone(b.Positions), Sequences: slices.Clone(b.Sequences),
		Tables: slices.Clone(b.Tables), Pages: slices.Clone(b.Pages), Outputs: slices.Clone(b.Outputs), Penalties: slices.Clone(b.Penalties),
		Biases: slices.Clone(b.Biases), Results: slices.Clone(b.Results), Top: slices.Clone(b.Top),
	}}
}

// check returns an error that names what was changed since Submit.
func (f *submittedStep) check() error {
	b, g := f.batch, &f.given
	for field, same := range map[string]bool{
		"generation": b.Generation == g.Generation, "background": b.Background == g.Background,
		"tokens": slices.Equal(b.Tokens, g.Tokens), "positions": slices.Equal(b.Positions, g.Positions),
		"sequences": slices.Equal(b.Sequences, g.Sequences), "tables": slices.Equal(b.Tables, g.Tables), "pages": slices.Equal(b.Pages, g.Pages),
		"outputs": slices.Equal(b.Outputs, g.Outputs), "penalties": slices.Equal(b.Penalties, g.Penalties),
		"biases": slices.Equal(b.Biases, g.Biases), "results": slices.EqualFunc(b.Results, g.Results, untouched),
		"top tokens": slices.EqualFunc(b.Top, g.Top, func(a, b engine.TopToken) bool { return a.Token == b.Token }),
	} {
		if !same {
			return fmt.Errorf("the batch's %s were changed while the step was under way", field)
		}
	}
	return nil
}

// untouched compares without the logits, which are NaN.
func untouched(a, b engine.Result) bool { return a.Token == b.Token && a.Rank == b.Rank }

// resolve puts what the step before sampled in the place of every PreviousRow, in the instance's own copy.
func (in *Instance) resolve(tokens []int32) error {
	for row, t := range tokens {
		if t >= 0 {
			continue
		}
		i := int(-1 - t)
		if i >= len(in.sampled) || in.sampled[i] < 0 {
			return fmt.Errorf("row %d continues output %d of the step before, which sampled none", row, i)
		}
		tokens[row] = in.sampled[i]
	}
	return nil
}

// keep notes what the step sampled, as the next one may ask for it when the batch is the scheduler's again.
func (in *Instance) keep(b *engine.Batch) {
	in.sampled = in.sampled[:0]
	for i, o := range b.Outputs {
		token := int32(-1)
		if o.Mode&engine.Sample != 0 {
			token = b.Results[i].Token
		}
		in.sampled = append(in.sampled, token)
	}
}
