package main

import (
	"strings"
	"testing"
)

// This file owns tests of which mutants get a switch, and how the changed function is called.

func TestSwitchable(t *testing.T) {
	for name, c := range map[string]struct {
		text, old, new string
		call           string // "": none
	}{
		"results":            {"func f(a, b int) int { return a + b }", "a + b", "a - b", `if mutantOn == "m-1" { return f__m_1(a, b) };`},
		"no results":         {"func f(a int) {\n\tg(a)\n}", "g(a)", "", `if mutantOn == "m-1" { f__m_1(a); return };`},
		"a method":           {"func (r *R[T]) f() (n int) { return r.n }", "r.n", "0", `return r.f__m_1() };`},
		"type parameters":    {"func f[K comparable, V any](m map[K]V) int { return len(m) }", "len(m)", "0", `return f__m_1[K, V](m) };`},
		"a variadic one":     {"func f(a int, more ...string) { g(more) }", "more)", "nil)", `f__m_1(a, more...); return };`},
		"no parameters":      {"func init() { g(1) }", "1", "2", `init__m_1(); return };`},
		"recover":            {"func f() { if recover() != nil { g(1) } }", "1", "2", ""},
		"recover, new":       {"func f() { g(1) }", "g(1)", "recover()", ""},
		"no receiver's name": {"func (R) f() { g(1) }", "1", "2", ""},
		"no name":            {"func f(int) { g(1) }", "1", "2", ""},
		"blank":              {"func f(_ int) { g(1) }", "1", "2", ""},
		"a constant":         {"const c = 1", "1", "2", ""},
		"a signature":        {"func f(a int) { g(1) }", "a int) { g(1)", "a int32) { g(1)", ""},
		"no Go any more":     {"func f(a int) { g(1) }", "g(1)", "g(1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := "package p\n\n" + c.text + "\n\nfunc g(x any) {}\n"
			s, ok := switchable(mutant{name: "m-1", file: "p/p.go", old: c.old, new: c.new}, text)
			if ok != (c.call != "") || !strings.Contains(s.call, c.call) {
				t.Fatalf("%v, %q; want %q", ok, s.call, c.call)
			}
			if ok && (!strings.Contains(s.change, "__m_1") || text[s.at-1] != '{') {
				t.Errorf("at %q: %q", text[:s.at], s.change)
			}
		})
	}
	for _, m := range []mutant{{name: "m", file: "p/p.h"}, {name: "m", file: "p/p_test.go"}, {name: "m", file: "p/p.go", tags: "cuda"}} {
		if _, ok := switchable(m, ""); ok {
			t.Errorf("%+v has a switch", m)
		}
	}
}
