// Package suites has the suites that come with the program: short questions, edge cases and nuances, written for it. A seeded generator makes
// them of templates, so that both halves ask the same things in other words, names and numbers, and neither is found in what models were
// trained on. The same program gives the same suites; their digests are held by a test.
//
// This file owns which suites there are, and how templates become items.
package suites

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"

	"github.com/go-json-experiment/json"

	"chimera/quality/suite"
)

// each is how many items a template gives, half of them for either half.
const each = 12

// template asks for one ability.
type template struct {
	name string
	tag  string // the group that it is counted in
	make func(d draws) question
}

// question is what a template made.
type question struct {
	system, input string
	checks        []suite.Check // of kind edge, where there are any
	choices       []string      // of kind choice; the first is right
	references    []string      // of kind qa
}

// line is an item as a file has it.
type line struct {
	ID         string          `json:"id"`
	Kind       suite.Kind      `json:"kind"`
	Messages   []suite.Message `json:"messages"`
	Checks     []suite.Check   `json:"checks,omitempty"`
	Choices    []string        `json:"choices,omitempty"`
	Answer     any             `json:"answer,omitempty"`
	References []string        `json:"references,omitempty"`
	Tags       []string        `json:"tags"`
	Half       suite.Half      `json:"half"`
}

var all = map[string][]template{
	"edge":   join(numbers, writing, instructions),
	"nuance": join(implied, wording),
	"qa":     questions,
}

func join(lists ...[]template) (all []template) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// Names are those of all suites.
func Names() []string { return []string{"qa", "edge", "nuance"} }

// Named is the suite of a name, nil if there is none.
func Named(name string) (*suite.Suite, error) {
	templates, there := all[name]
	if !there {
		return nil, nil
	}
	var file bytes.Buffer
	for _, t := range templates {
		for n, q := range t.questions(name) {
			text, err := json.Marshal(t.line(name, n, q))
			if err != nil {
				return nil, err
			}
			file.Write(append(text, '\n'))
		}
	}
	return suite.Read(name, &file)
}

// Open reads the suite of a file, or makes the one of that name where there is no such file.
func Open(name string) (*suite.Suite, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		if s, problem := Named(name); s != nil || problem != nil {
			return s, problem
		}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return suite.Read(name, f)
}

// attempts bounds how often a template is asked for a question that it has not asked yet.
const attempts = 200

// questions are those of a template, no two alike.
func (t template) questions(of string) (list []question) {
	asked := map[string]bool{}
	for attempt := 0; len(list) < each && attempt < attempts; attempt++ {
		key := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", of, t.name, attempt))
		q := t.make(draws{rand.NewChaCha8(key)})
		if !asked[q.input] {
			asked[q.input] = true
			list = append(list, q)
		}
	}
	return list
}

// line writes the n-th question as an item. Choices are turned so that each place is right as often as any other.
func (t template) line(of string, n int, q question) line {
	l := line{
		ID: fmt.Sprintf("%s-%s-%02d", of, t.name, n), Kind: suite.Edge, Checks: q.checks, References: q.references,
		Tags: []string{t.tag, t.name}, Half: []suite.Half{suite.Tuning, suite.Sealed}[n%2],
	}
	if q.system != "" {
		l.Messages = append(l.Messages, suite.Message{Role: "system", Content: q.system})
	}
	l.Messages = append(l.Messages, suite.Message{Role: "user", Content: q.input})
	if len(q.choices) > 0 {
		right := n / 2 % len(q.choices)
		l.Kind, l.Answer = suite.Choice, right
		l.Choices = append(append([]string{}, q.choices[1:1+right]...), q.choices[0])
		l.Choices = append(l.Choices, q.choices[1+right:]...)
	}
	if len(q.references) > 0 {
		l.Kind = suite.QA
	}
	return l
}

// draws are the random choices of one question.
type draws struct{ source *rand.ChaCha8 }

// number is one from low to high.
func (d draws) number(low, high int) int { return low + int(d.source.Uint64()%uint64(high-low+1)) }

// of is one of some texts.
func (d draws) of(list ...string) string { return list[d.number(0, len(list)-1)] }

// some are n different ones of a list.
func (d draws) some(n int, list []string) []string {
	left := append([]string(nil), list...)
	for i := range n {
		j := d.number(i, len(left)-1)
		left[i], left[j] = left[j], left[i]
	}
	return left[:n]
}

// row is one of the rows of a table.
func row[T any](d draws, table []T) T { return table[d.number(0, len(table)-1)] }

func contains(any ...string) suite.Check { return suite.Check{Name: "contains", Any: any} }
func absent(any ...string) suite.Check   { return suite.Check{Name: "absent", Any: any} }
func begins(any ...string) suite.Check   { return suite.Check{Name: "begins", Any: any} }
func is(any ...string) suite.Check       { return suite.Check{Name: "is", Any: any} }
func words(most int) suite.Check         { return suite.Check{Name: "words", Words: most} }
func script(name string) suite.Check     { return suite.Check{Name: "script", Script: name} }
func noLoop() suite.Check                { return suite.Check{Name: "no-loop"} }

func number(x float64) suite.Check { return suite.Check{Name: "number", Number: &x} }

// yes and no hold an answer to one side: it must begin with it, and not take it back.
func yes() []suite.Check { return []suite.Check{begins("yes"), absent("no")} }
func no() []suite.Check  { return []suite.Check{begins("no"), absent("yes")} }
