package jinja

import "fmt"

// This file owns filters and tests that nothing has: where they end the parsing, and where only a rendering that comes to them.

// firm parses what refuses unknown filters and tests: all but what stands in conditions.
func (p *parser) firm(parse func()) {
	before := len(p.unknown)
	parse()
	if len(p.unknown) > before {
		panic(parseError{p.unknown[before]})
	}
}

// soft parses a condition and what hangs on it.
func (p *parser) soft(parse func()) {
	before := len(p.unknown)
	parse()
	p.unknown = p.unknown[:before]
}

func (p *parser) knownFilter(n string) {
	if _, ok := filters[n]; !ok {
		p.unknown = append(p.unknown, &Error{p.peek().line, noFilter(n)})
	}
}

func noFilter(n string) string { return fmt.Sprintf("no filter named %q", n) }

func noTest(n string) string { return fmt.Sprintf("no test named %q", n) }
