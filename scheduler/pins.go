package scheduler

import (
	"errors"
	"fmt"
	"slices"

	"chimera/engine"
)

// This file owns pins: prefixes with a name whose pages stay. A pin is computed as any request is, behind all others, and then
// holds its pages by reference; from then on requests go on from it (offers.go). With other weights it is computed again.

// ErrNoPin is wrapped by Unpin's error where no pin has the name.
var ErrNoPin = errors.New("no prefix is pinned by that name")

// PinError says why a prefix can't be pinned.
type PinError struct{ Name, Reason string }

func (e *PinError) Error() string { return fmt.Sprintf("pin %q: %s", e.Name, e.Reason) }

// longestPinName is in bytes: names are for tables.
const longestPinName = 64

// pin is the loop's own.
type pin struct {
	name     string
	tenant   string // whom it is for; "": all
	request  Request
	sequence *Sequence // which computes it; nil once that has ended
	pages    [][]int32 // (groups), held; nil until they are computed
}

// size is how many of the prompt's pages are full: those that others can share.
func (p *pin) size() int { return len(p.request.Prompt) / engine.PageTokens }

// Pin has the prompt's full pages computed, by the newest weights, for all requests of a tenant ("": for all there are) whatever their salt, and keeps
// them until Unpin. It returns when that is taken on, not when it is done; CacheState.Pins tells. A name that is pinned with the same prompt for the
// same tenant stays as it is. Pins may have half of a group's pages, and leave room for the longest sequence beside them.
func (s *Lane) Pin(name string, prompt []int32, tenant string) error {
	r := Request{Prompt: slices.Clone(prompt), Salt: pinSalt(tenant), Class: Background, Own: true, Sampling: Sampling{TopP: 1, Repetition: 1}}
	switch err := s.admissible(r); {
	case name == "" || len(name) > longestPinName:
		return &PinError{name, fmt.Sprintf("the name must have 1 to %d bytes", longestPinName)}
	case err != nil:
		return fmt.Errorf("pin %q: %w", name, err)
	case len(prompt) < engine.PageTokens:
		return &PinError{name, fmt.Sprintf("the prompt has %d tokens, it must have %d at least: full pages of them are what is kept", len(prompt), engine.PageTokens)}
	case !s.groups[0].keyed:
		return &PinError{name, "the model has recurrent state, of which no prefix can be kept"}
	}
	var err error
	s.ask(func() { err = s.addPin(&pin{name: name, tenant: tenant, request: r}) })
	return err
}

// Unpin lets a prefix go. What it holds stays cached as long as it is hot.
func (s *Lane) Unpin(name string) error {
	err := fmt.Errorf("%q: %w", name, ErrNoPin)
	s.ask(func() {
		at := slices.IndexFunc(s.cache.pins, func(p *pin) bool { return p.name == name })
		if at < 0 {
			return
		}
		p := s.cache.pins[at]
		s.cache.pins = slices.Delete(s.cache.pins, at, at+1)
		if p.sequence != nil {
			p.sequence.pin = nil
			p.sequence.Stop()
		}
		s.unhold(p)
		s.offer()
		err = nil
	})
	return err
}

func (s *Lane) addPin(p *pin) error {
	if refusal := s.refused(); refusal != nil {
		return refusal
	}
	for _, other := range s.cache.pins {
		switch {
		case other.name != p.name:
		case slices.Equal(other.request.Prompt, p.request.Prompt) && other.tenant == p.tenant:
			return nil
		default:
			return &PinError{p.name, "another prompt, or one for others, is pinned by that name: unpin it first"}
		}
	}
	for g := range s.groups {
		if err := s.groups[g].mayHold(p, s.cache.pins); err != nil {
			return err
		}
	}
	s.cache.pins = append(s.cache.pins, p)
	s.compute(p)
	return nil
}

// mayHold refuses a pin that would leave too little to what is asked for.
func (g *group) mayHold(p *pin, others []*pin) error {
	pinned := 0
	for _, other := range others {
		pinned += g.holds(other)
	}
	most := max(0, min(g.Pages/2, g.Pages-g.most))
	if need := g.holds(p); pinned+need > most {
		return &PinError{p.name, fmt.Sprintf("it needs %d pages of %d that may still be pinned; half of the %d of group %s may be, and %d for the longest sequence must be left: unpin others, or give the cache more pages",
			need, max(0, most-pinned), g.Pages, g.Name, g.most)}
	}
	return nil
}

// holds is how many pages of the group the pin holds: all, or in a window those that the position behind it sees.
func (g *group) holds(p *pin) int { return p.size() - g.firstPage(p.size()*engine.PageTokens) }

// compute queues the pin's sequence. The queue's length is for clients; pins are few.
func (s *Lane) compute(p *pin) {
	p.sequence = newSequence(p.request, s.noteStop, s.loop.config.Now)
	p.sequence.pin = p
	s.asks(p.sequence, len(p.request.Prompt))
	s.mu.Lock()
	s.queue.change(&p.sequence.demand, 1)
	s.mu.Unlock()
	s.welcome(p.sequence)
}

// hold gives the pin the pages of its sequence, which is about to return them. Where it can't be, as when they are those of
// weights that were replaced meanwhile, it is computed once more.
func (s *Lane) hold(seq *Sequence) {
	p := seq.pin
	if seq.computed < len(p.request.Prompt) { // it is preempted, or the loop ends
		return
	}
	p.sequence, seq.pin = nil, nil
	if seq.generation != s.newest() || !s.ready(seq, p) {
		s.compute(p)
		return
	}
	p.pages = make([][]int32, len(s.groups))
	for g := range s.groups {
		first, t := p.size()-s.groups[g].holds(p), &seq.tables[g]
		for i := first; i < p.size(); i++ {
			id := t.pages.At(i - t.base)
			p.pages[g] = append(p.pages[g], id)
			s.groups[g].pool.share(id)
		}
	}
	s.offer()
}

// ready tells whether the index has all that the pin would hold.
func (s *Lane) ready(seq *Sequence, p *pin) bool {
	for g := range s.groups {
		if seq.tables[g].published < p.size() || seq.tables[g].base > p.size()-s.groups[g].holds(p) {
			return false
		}
	}
	return true
}

func (s *Lane) unhold(p *pin) {
	for g, pages := range p.pages {
		for _, id := range slices.Backward(pages) {
			s.groups[g].pool.release(id)
		}
	}
	p.pages = nil
}

// repin has all pins computed by the newest weights. Those under way find out when they are done.
func (s *Lane) repin() {
	for _, p := range s.cache.pins {
		if p.sequence == nil {
			s.unhold(p)
			s.compute(p)
		}
	}
	s.offer()
}
