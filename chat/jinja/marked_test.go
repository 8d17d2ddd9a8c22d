package jinja

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Values here are Greek and what templates write are the letters a to d: so every letter of what is rendered shows where it must
// say that it comes from. Escapes have others: \n is the value's.
func TestMarksFollowText(t *testing.T) {
	vars, err := FromJSON([]byte(`{"s":"αβ γδ\nεζ αβ","t":"  ηθ  ","u":"ΑΒΓ","l":["ιι","κλ"],"d":{"μν":"ξο","π":["ρσ",{"τ":"υφ"}]},"c":"χ","x":"<ψ>ω \"ά\" 'έ'","n":7}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{
		"s", "s ~ 'abc' ~ t", "'abc' + s + 'd'", "s|trim", "t.strip() ~ 'x'", "t.lstrip()", "t.rstrip()", "s.strip('αβ')",
		"s|replace('αβ', 'ab')", "s|replace('γ', '')", "s|replace(' ', '-')", "'abcabc'|replace('b', c)", "s.replace('αβ', u, 1)", "'abc'.replace('', c)", "s|replace('', '-')",
		"s[1:4] ~ 'ab'[0] ~ s[0] ~ s[-1] ~ s[::-1]", "('ab' ~ s ~ 'cd')[1:5]", "s|upper", "u|lower", "s|title", "s|capitalize", "u.swapcase() ~ 'a'", "u.casefold()",
		"l|join", "l|join(' and ')", "['ab', 'cd']|join(c)", "c.join(['ab', 'cd'])", "'-'.join(l)", "s.split()[1] ~ 'a'", "s.split('γ')|join('+')", "s.split(' ', 1)[1]", "s.rsplit(' ', 1)[0]",
		"s.splitlines()|join('/')", "s.partition('γδ')|join('/')", "s.rpartition('αβ')|join('/')", "s.removeprefix('αβ')", "s.removesuffix('αβ')",
		"s|tojson", "d|tojson", "d|tojson(indent=2)", "l|tojson(separators=(',', ':'))", "d", "[l, d, s]", "d.items()|list", "d.keys()|join(',')", "d|dictsort|first|join('=')", "d|string",
		"'%s: %s!' % (c, 'ab')", "s % ()", "'%-9s|%9s|%.1s' % (c, u, s)", "'%(a)s' % {'a': c}", "'{} {x} {0[0]}'.format(l, x=c)", "'{:*^9}'.format(c)", "'%s'|format(c)", "'%r' % c",
		"s|indent(2)", "s|indent('> ', true)", "'a\nb'|indent(c)", "s|center(20)", "c.ljust(3, 'x')", "'ab'.rjust(9, c)", "c.zfill(5)", "s|truncate(9)", "s|truncate(6, true, '..', 0)", "s|wordwrap(3)", "'ab'|truncate(1, true, c, 0)",
		"x|e", "x|escape", "x|forceescape", "x|safe|upper", "x|striptags", "s|urlencode|length", "d|xmlattr", "(x|safe) + s", "s|first ~ s|last", "s|list|join('.')", "s|reverse", "l|reverse|join('a')",
		"s * 2 ~ 'ab' * 2", "2 * c", "l|map('upper')|join(',')", "l|sort|join(',')", "l|unique|join(',')", "l|batch(1)|list", "[s]|map('trim')|first", "l|min ~ l|max", "[d]|map(attribute='μν')|join",
		"s|pprint", "s if s else 'a'", "nosuch or s", "nosuch|default(s)", "dict(a=s).a", "[s, 'a'][0]", "(s, 'ab')|last", "c.center(7, 'ab'[0])", "c ~ n", "strftime_now(c ~ '%Y')[4:0] ~ 'a'",
		"[{'k': c, 'v': s}]|groupby('k')|first|first", "['ab', c]|select('string')|join", "d.get('μν') ~ d['π'][1].τ", "l[0] ~ l[1][1]", "joiner(c)() ~ 'a'", "s.format()", "s.expandtabs()",
		"s|urlize", "'http://' ~ 'ab.com' ~ '/' ~ c", "('http://x.org/' ~ c)|urlize(3)", "l|random", "s|swapcase if false else u.title()", "(s ~ 'ß').upper()",
	} {
		checkMarks(t, "{{ "+x+" }}", vars)
		checkMarks(t, "abc{% set v %}d{{ "+x+" }}e{% endset %}{{ v|upper }}", vars)
		checkMarks(t, "{% macro m(p) %}<{{ p }}>{% endmacro %}{{ m("+x+") }}", vars)
		checkMarks(t, "{% autoescape true %}{{ "+x+" }}{% endautoescape %}", vars)
	}
	for _, source := range []string{
		"{% for y in s %}{{ y }}-{% endfor %}", "{% for y in l %}{{ loop.previtem }}{{ y }}a{{ loop.cycle('x', c) }}{% endfor %}", "{% for k, v in d.items() %}{{ k }}: {{ v }}{% endfor %}",
		"{% filter upper %}ab{{ s }}cd{% endfilter %}", "{% set ns = namespace(v='') %}{% for y in l %}{% set ns.v = ns.v ~ 'a' ~ y %}{% endfor %}{{ ns.v }}",
		"{% macro m() %}a{{ caller() }}b{% endmacro %}{% call m() %}{{ s }}c{% endcall %}", "{% set v | trim %} {{ t }} a{% endset %}{{ v }}", "{% for y in [l] recursive %}{% if y is string %}{{ y }}{% else %}a{{ loop(y) }}{% endif %}{% endfor %}",
	} {
		checkMarks(t, source, vars)
	}
}

func checkMarks(t *testing.T, source string, vars *Dict) {
	t.Helper()
	template, err := Parse(source)
	if err != nil {
		t.Fatal(source, err)
	}
	r, err := template.Render(vars, Options{})
	if err != nil {
		t.Errorf("%s: %v", source, err)
		return
	}
	if len(r.Marks) != 0 && len(r.Marks) != len(r.Text) || !utf8.ValidString(r.Text) {
		t.Errorf("%s: %d marks for %d bytes of %q", source, len(r.Marks), len(r.Text), r.Text)
		return
	}
	for i, c := range r.Text {
		mark := uint16(0)
		if len(r.Marks) != 0 {
			mark = r.Marks[i]
		}
		if greek := unicode.Is(unicode.Greek, c); greek && mark == 0 || strings.ContainsRune("abcdABCD", c) && mark != 0 {
			t.Errorf("%s: %q at %d of %q has the mark %d", source, c, i, r.Text, mark)
			return
		}
	}
}

// A value is only what it is made of: what the template adds beside it stays the template's.
func TestStretches(t *testing.T) {
	vars := NewDict()
	vars.Set("a", Mark("one", 1))
	vars.Set("b", Mark("two", 2))
	for _, c := range []struct {
		source string
		text   string
		marks  []uint16
		want   [][2]int
	}{
		{"<{{ a }}>{{ b }}", "<one>two", []uint16{0, 1, 1, 1, 0, 2, 2, 2}, [][2]int{{1, 4}, {5, 8}}},
		{"{{ a ~ b }}", "onetwo", []uint16{1, 1, 1, 2, 2, 2}, [][2]int{{0, 6}}},
		{"{{ a|replace('n', '<>') }}", "o<>e", []uint16{1, 0, 0, 1}, [][2]int{{0, 1}, {3, 4}}},
		{"{{ (a ~ b)|replace('et', '-') }}", "on-wo", []uint16{1, 1, 0, 2, 2}, [][2]int{{0, 2}, {3, 5}}},
		{"{{ a|tojson }}", `"one"`, []uint16{0, 1, 1, 1, 0}, [][2]int{{1, 4}}},
		{"{{ {'k': b} }}", "{'k': 'two'}", []uint16{0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 0, 0}, [][2]int{{7, 10}}},
		{"none", "none", nil, nil},
	} {
		template, err := Parse(c.source)
		if err != nil {
			t.Fatal(err)
		}
		r, err := template.Render(vars, Options{})
		if err != nil || r.Text != c.text || !slices.Equal(r.Marks, c.marks) || !slices.Equal(r.Stretches(), c.want) {
			t.Errorf("%s: %v, %q with %v, stretches %v; want %q with %v, %v", c.source, err, r.Text, r.Marks, r.Stretches(), c.text, c.marks, c.want)
		}
	}
}
