// Package suite owns suites: requests with what a good answer to each has, in files of JSON, an item a line. It reads and checks them,
// names their version by a digest, splits them into halves, and holds answers to the properties that items ask for.
//
// This file owns what a suite is.
package suite

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
)

// Kind says what an answer is compared with.
type Kind string

// The kinds.
const (
	Translation Kind = "translation" // references, as texts that are as good as another's
	QA          Kind = "qa"          // references, as short answers of which one must be met
	Choice      Kind = "choice"      // choices, of which one is right
	Edge        Kind = "edge"        // checks, as properties that an answer has
	Text        Kind = "text"        // references, as long texts that say the same
)

var kinds = []Kind{Translation, QA, Choice, Edge, Text}

// Half is one of the two parts of a suite. Whoever chooses by scores (a tier, weights, a prompt) sees the tuning half alone; only
// the report sees the sealed one, so that what was merely fitted to the suite shows as a gap between the two.
type Half string

// The halves.
const (
	Tuning Half = "tuning"
	Sealed Half = "sealed"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Item is one request. Its JSON is the canonical form: what can be written in two ways stands in one.
type Item struct {
	ID         string    `json:"id"`
	Kind       Kind      `json:"kind"`
	Messages   []Message `json:"messages"`
	References []string  `json:"references,omitempty"`
	Choices    []string  `json:"choices,omitempty"`
	Right      int       `json:"right"` // of Choices, from 0
	Checks     []Check   `json:"checks,omitempty"`
	Tags       []string  `json:"tags,omitempty"`
	Half       Half      `json:"half"`
}

// Suite is items in order.
type Suite struct {
	Name  string
	Items []Item
}

// Digest is the suite's version: SHA-256 over its items in their canonical form and order, in hexadecimal. Blanks between members, their
// order, fields that nobody reads and the file's name do not change it; what could change a score does.
func (s *Suite) Digest() string {
	h := sha256.New()
	for i := range s.Items {
		text, err := json.Marshal(&s.Items[i])
		if err != nil {
			panic(fmt.Sprintf("an item that was read can be written: %v", err)) // strings and numbers that JSON has
		}
		h.Write(append(text, '\n'))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// halfOf is where an item belongs that does not say so: a bit of its id's digest, so that items which come or go move no other.
func halfOf(id string) Half {
	if sha256.Sum256([]byte("half " + id))[0]&1 == 0 {
		return Tuning
	}
	return Sealed
}

// Of is one half, as a suite.
func (s *Suite) Of(h Half) *Suite {
	part := &Suite{Name: s.Name + "/" + string(h)}
	for _, item := range s.Items {
		if item.Half == h {
			part.Items = append(part.Items, item)
		}
	}
	return part
}

// Join makes one suite of two whose halves are files of their own, whatever the items say. No id may stand in both.
func Join(tuning, sealed *Suite) (*Suite, error) {
	all := &Suite{Name: tuning.Name + "+" + sealed.Name}
	seen := map[string]bool{}
	for _, part := range []struct {
		half  Half
		items []Item
	}{{Tuning, tuning.Items}, {Sealed, sealed.Items}} {
		for _, item := range part.items {
			if seen[item.ID] {
				return nil, fmt.Errorf("%s and %s both have an item %q: what tuners see must not be in the sealed half", tuning.Name, sealed.Name, item.ID)
			}
			seen[item.ID] = true
			item.Half = part.half
			all.Items = append(all.Items, item)
		}
	}
	return all, nil
}

// References is how many references each translation has, by the one that has fewest. Their scores take so many of each, as figures
// of papers do: a BLEU of one reference here and four there compares with nothing.
func (s *Suite) References() int {
	least := 0
	for _, item := range s.Items {
		if n := len(item.References); item.Kind == Translation && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// Has tells whether there is an item of a kind.
func (s *Suite) Has(k Kind) bool {
	return slices.ContainsFunc(s.Items, func(i Item) bool { return i.Kind == k })
}
