package jinja

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A template comes out of a model file: each of these must end in an error, soon and without taking
// memory, and never in a crash.
func TestHostileTemplates(t *testing.T) {
	deep := func(open, middle, shut string) string {
		return strings.Repeat(open, 100000) + middle + strings.Repeat(shut, 100000)
	}
	for name, src := range map[string]string{
		"endless macro":    `{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}`,
		"endless caller":   `{% macro m() %}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}`,
		"mutual macros":    `{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}`,
		"huge range":       `{% for i in range(10**9) %}{% endfor %}`,
		"nested ranges":    `{% for i in range(99999) %}{% for j in range(99999) %}{% for k in range(99999) %}x{% endfor %}{% endfor %}{% endfor %}`,
		"doubling":         `{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}`,
		"doubling list":    `{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}`,
		"string times":     `{{ 'a' * 10**9 }}`,
		"list times":       `{{ [0] * 10**9 }}`,
		"power":            `{{ 10 ** (10 ** 10) }}`,
		"wide format":      `{{ '%1000000000d' % 1 }}`,
		"wide spec":        `{{ '{:1000000000}'.format(1) }}`,
		"wide ljust":       `{{ 'a'.ljust(10**9) }}`,
		"wide center":      `{{ 'a'|center(10**9) }}`,
		"wide tabs":        `{{ 'a\tb'.expandtabs(10**9) }}`,
		"wide indent":      `{{ 'a\nb'|indent(10**9) }}`,
		"wide json":        `{{ [1]|tojson(indent=10**9) }}`,
		"replace":          `{% set a = 'a' * 100000 %}{{ a.replace('a', a) }}`,
		"join":             `{{ ('b' * 100000).join(('a' * 100000)|list) }}`,
		"slices":           `{{ [1]|slice(10**9)|list }}`,
		"batch":            `{{ [1]|batch(10**9, 'x')|list }}`,
		"self list":        `{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}`,
		"self list json":   `{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l|tojson }}`,
		"self list equal":  `{% set ns = namespace(l=[], m=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% set ns.m = [ns.m] %}{% endfor %}{{ ns.l == ns.m }}`,
		"recursive loop":   `{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}`,
		"include":          `{% include '/etc/passwd' %}`,
		"import":           `{% import '/etc/passwd' as x %}`,
		"extends":          `{% extends '/etc/passwd' %}`,
		"class walk":       `{{ ''.__class__.__mro__ }}`,
		"format walk":      `{{ '{0.__class__}'.format('') }}`,
		"deep parentheses": "{{ " + deep("(", "1", ")") + " }}",
		"deep lists":       "{{ " + deep("[", "", "]") + " }}",
		"deep dicts":       "{{ " + deep("{1:", "1", "}") + " }}",
		"deep not":         "{{ " + deep("not ", "1", "") + " }}",
		"deep minus":       "{{ " + deep("-", "1", "") + " }}",
		"deep if":          deep("{% if 1 %}", "x", "{% endif %}"),
		"deep for":         deep("{% for i in [1] %}", "x", "{% endfor %}"),
		"deep conditions":  "{{ " + deep("1 if 1 else ", "1", "") + " }}",
		"deep targets":     "{% set " + deep("(", "a", ")") + " = 1 %}",
		"deep subscripts":  "{{ a" + deep("[0", "", "]") + " }}",
		"deep calls":       "{{ " + deep("f(", "", ")") + " }}",
		"long sum":         "{{ 1" + strings.Repeat("+1", 100000) + " }}",
		"long attributes":  "{{ a" + strings.Repeat(".b", 100000) + " }}",
		"long filters":     "{{ 1" + strings.Repeat("|abs", 100000) + " }}",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		out, err := render(src, NewDict())
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: rendered %d bytes, want an error", name, len(out))
		}
		if took > time.Second { // 100 ms on an idle machine; CI has noisy neighbours
			t.Errorf("%s: took %v", name, took)
		}
		t.Logf("%-16s %6.1f ms %5.1f MiB: %.80s", name, took.Seconds()*1e3, float64(after.TotalAlloc-before.TotalAlloc)/(1<<20), fmt.Sprint(err))
	}
}

// Conversations are large, and what looks at all of one must not be had for a step: a loop over each of
// these ends in an error soon.
func TestHostileWork(t *testing.T) {
	text := strings.Repeat("x", 2<<20)
	vars := NewDict()
	entries := NewDict()
	list := &List{}
	for i := range 100000 {
		entries.Set(fmt.Sprint(i), int64(i))
		list.Items = append(list.Items, int64(i))
	}
	vars.Set("s", text)
	vars.Set("same", strings.Clone(text))
	vars.Set("d", entries)
	vars.Set("l", list)
	vars.Set("many", newList([]Value{text, text, text, text, text, text, text, text}))
	for _, x := range []string{
		"s|length", "s|wordcount", "s|float", "s|truncate", "s|striptags", "s|center(1)", "s is upper", "s is lower", "s == same", "s < same", "'y' in s",
		"s.count('y')", "s.find('y')", "s.isalpha()", "s.istitle()", "s.strip('y')", "s.partition('y')", "s.splitlines()", "s.zfill(3)", "'a'.count(s)",
		"d.keys()", "d.get(s)", "d.values()", "s in d", "l|sum", "l|slice(3)", "l|batch(10)", "l.index(99999)", "many|map('length')|list", "many|select('upper')|list", "many|max",
	} {
		began := time.Now()
		_, err := render("{% for i in range(99999) %}{% set z = "+x+" %}{% endfor %}", vars)
		if took := time.Since(began); err == nil || took > 10*time.Second { // seconds at most, where it took minutes
			t.Errorf("%s: %v after %v", x, err, took)
		} else {
			t.Logf("%-24s %6.1f ms: %v", x, took.Seconds()*1e3, err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"{% for m in messages %}{{ m.role }}{% endfor %}", "{{ 'a'|upper ~ 1 }}", "{% macro m(a, b=1) %}{{ a }}{% endmacro %}{{ m(1) }}",
		"{%- set x = [1, 2][::-1] -%}{{ x|tojson(indent=2) }}", "{{ '%s %d' % ('a', 3) }}{{ '{:>5}'.format(1) }}", "{# c #}{% raw %}{{{% endraw %}",
	} {
		f.Add(seed)
	}
	vars, err := FromJSON([]byte(`{"messages":[{"role":"user","content":"hi"}],"n":null,"i":7,"f":1.5,"d":{"a":[1,{"b":2}]}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src string) {
		began := time.Now()
		_, err := render(src, vars)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%q took %v (%v)", src, took, err)
		}
	})
}
