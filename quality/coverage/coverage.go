// Package coverage tells what requests are of that suites have nothing of: what is not asked of a model is not known of it, however good its scores are.
//
// This file owns what is known of a request: its language, its length and what it is like; and a bounded memory of that. None of it is its text.
package coverage

import "chimera/quality/control"

// Features are what a prompt is like.
type Features struct {
	Language string // see LanguageOf
	Length   string // of the prompt: control.Short, Medium or Long
	vector   vector
}

// Describe looks at a prompt, or at as much of it as says what it is, and how many tokens it has in all.
func Describe(text string, tokens int) Features {
	return Features{Language: LanguageOf(text), Length: control.LengthOf(tokens), vector: vectorOf(text)}
}

// mostRemembered is how many requests the memory has: enough that a twentieth of them is known to 1.4 percent, and a MiB for each model.
const mostRemembered = 1000

// Traffic is the newest of what clients asked. Its zero value is empty; it is for one goroutine at a time.
type Traffic struct {
	newest []Features
	next   int
}

// Add takes in a request.
func (t *Traffic) Add(f Features) {
	if len(t.newest) < mostRemembered {
		t.newest = append(t.newest, f)
		return
	}
	t.newest[t.next] = f
	t.next = (t.next + 1) % mostRemembered
}

// Requests is how many it remembers.
func (t *Traffic) Requests() int { return len(t.newest) }

// Newest are a copy of them.
func (t *Traffic) Newest() []Features { return append([]Features(nil), t.newest...) }
