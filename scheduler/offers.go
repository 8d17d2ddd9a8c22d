package scheduler

import (
	"slices"

	"chimera/engine"
)

// This file owns which pinned prefix a prompt goes on from, whatever its salt keeps apart.
//
// A pin's pages are named by whom it is for. A prompt that begins with all of them names them as the pin does, and what follows by its own
// salt, so that others find none of that. It is all or nothing: if a part were found, a pinned text could be guessed page by page; so only who has
// all of it learns that it is pinned. And it counts only while the pin holds its pages: that they are there tells nothing of who asked before.

// offer is a pin whose pages are there.
type offer struct {
	tenant string  // whom it is for; "": all
	tokens []int32 // of its full pages
}

// offers are those of a time. They are never changed, so that other goroutines may look at them.
type offers []offer

// trunk is what a sequence goes on from: pages that are named by a pin's salt and not by its own. Its zero value is nothing.
type trunk struct {
	pages int
	salt  string
}

// trunkOf is the longest that the request may have.
func (o *offers) trunkOf(r *Request) (best trunk) {
	if o == nil {
		return best
	}
	for i := range *o {
		p := &(*o)[i]
		pages := len(p.tokens) / engine.PageTokens
		mine := p.tenant == "" || p.tenant == r.Tenant
		if mine && pages > best.pages && len(r.Prompt) >= len(p.tokens) && slices.Equal(r.Prompt[:len(p.tokens)], p.tokens) {
			best = trunk{pages, pinSalt(p.tenant)}
		}
	}
	return best
}

// pinSalt names the pages of what is pinned for a tenant; for all it is that of requests without a salt. It is no client's.
func pinSalt(tenant string) string {
	if tenant == "" {
		return ""
	}
	return "pinned for " + tenant
}

// offer lets requests know what the pins hold now. Those that wait follow: see join.
func (s *Lane) offer() {
	all := offers{}
	for _, p := range s.cache.pins {
		if p.pages != nil {
			all = append(all, offer{p.tenant, p.request.Prompt[:p.size()*engine.PageTokens]})
		}
	}
	s.offers.Store(&all)
}
