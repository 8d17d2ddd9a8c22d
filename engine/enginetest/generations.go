package enginetest

import (
	"errors"
	"fmt"

	"chimera/engine"
)

// This file owns the instance's generations of weights. Replace may run beside everything else, so they are behind a
// lock.

// Weights are told apart by a text, which is also their digest; nobody reads a tensor of theirs.
type Weights struct {
	engine.Weights
	Text string
}

// firstWeights are those that an instance is made with.
const firstWeights = "first"

func (w Weights) digest() string {
	if w.Text == "" {
		return firstWeights
	}
	return w.Text
}

func (w Weights) sum() uint64 { return words(w.digest()) }

// Generation returns the newest.
func (in *Instance) Generation() engine.Generation {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.newest
}

// Replace takes other Weights.
func (in *Instance) Replace(w engine.Weights, progress func(done, total int64)) (engine.Generation, error) {
	named, ok := w.(Weights)
	if !ok {
		return 0, fmt.Errorf("%T: an instance of enginetest takes its own Weights alone", w)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.newest++
	in.generations[in.newest] = named
	return in.newest, nil
}

// Retire frees a generation. One that is the newest or that a step under way needs poisons the instance.
func (in *Instance) Retire(g engine.Generation) error {
	if err := in.retire(g); err != nil {
		return in.poisoned(in.Submitted(), err)
	}
	return nil
}

func (in *Instance) retire(g engine.Generation) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if _, there := in.generations[g]; !there || g == in.newest {
		return fmt.Errorf("generation %d is retired, of %d", g, in.newest)
	}
	for _, f := range in.underWay {
		if f.given.Generation == g {
			return errors.New("a generation is retired that a step under way needs")
		}
	}
	delete(in.generations, g)
	in.retired = append(in.retired, g)
	return nil
}

// Retired lists the generations that were retired, in that order.
func (in *Instance) Retired() []engine.Generation {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]engine.Generation(nil), in.retired...)
}

// Digest is the text of a generation's Weights, nothing for one that is not there.
func (in *Instance) Digest(g engine.Generation) string {
	in.mu.Lock()
	defer in.mu.Unlock()
	w, there := in.generations[g]
	if !there {
		return ""
	}
	return w.digest()
}

// weights are those of a generation that is there.
func (in *Instance) weights(g engine.Generation) (sum uint64, there bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	w, there := in.generations[g]
	return w.sum(), there
}
