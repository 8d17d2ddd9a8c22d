package jinja

import (
	"strings"
	"testing"
	"time"
)

// What jinja2 3.1.6 says of filters' and tests' arguments, of case beyond ASCII, of formats and of what is no list.
func TestArgumentsAsJinja2(t *testing.T) {
	for _, c := range []struct{ template, ends, out string }{
		{`{{ range(3) }}|{{ range(1,3) }}|{{ range(0,9,2) }}|{{ range(9,0,-3) }}|{{ range(3)|list }}|{{ [range(2)] }}|{{ range(3)|string }}|{{ range(0) }}`, renders, `range(0, 3)|range(1, 3)|range(0, 9, 2)|range(9, 0, -3)|[0, 1, 2]|[range(0, 2)]|range(0, 3)|range(0, 0)`},
		{`{{ {'a':1}.items() }}|{{ {'a':1}.keys() }}|{{ {'a':1}.values() }}|{{ {}.items() }}|{{ {'a':1}.items()|list }}|{{ {'a':1}|list }}|{{ {'a':1}.keys()|join }}`, renders, `dict_items([('a', 1)])|dict_keys(['a'])|dict_values([1])|dict_items([])|[('a', 1)]|['a']|a`},
		{`{{ range(3) == [0,1,2] }}|{{ range(3)|list == [0,1,2] }}|{{ {'a':1}.keys()|list == ['a'] }}`, renders, `False|True|True`},
		{`{{ range(3)|tojson }}`, failsToRun, ``},
		{`{{ {'a':1}.items()|tojson }}`, failsToRun, ``},
		{`{{ range(3)[1] }}|{{ range(3)|length }}|{{ range(3)|last }}|{{ range(3)|sum }}|{{ 2 in range(3) }}|{{ range(3)|reverse|list }}|{{ range(3)|sort }}`, renders, `1|3|2|3|True|[2, 1, 0]|[0, 1, 2]`},
		{`{{ 'H'|replace('H') }}`, failsToRun, ``},
		{`{{ 'H'|replace() }}`, failsToRun, ``},
		{`{{ 'H'|replace('H','x') }}|{{ 'HHH'|replace('H','x',2) }}|{{ 'H'|replace(old='H',new='y') }}`, renders, `x|xxH|y`},
		{`{{ 'H'|replace('H','x',1,2) }}`, failsToRun, ``},
		{`{{ 'H'|replace('H','x',cnt=1) }}`, failsToRun, ``},
		{`{{ 'H'|replace('H','x',old='x') }}`, failsToRun, ``},
		{`{{ 'a'|upper(1) }}`, failsToRun, ``},
		{`{{ 'a'|trim('a','b') }}`, failsToRun, ``},
		{`{{ [1]|batch }}`, failsToRun, ``},
		{`{{ [1]|slice }}`, failsToRun, ``},
		{`{{ [1]|groupby }}`, failsToRun, ``},
		{`{{ {}|attr }}`, failsToRun, ``},
		{`{{ 1|int(1,2,3) }}`, failsToRun, ``},
		{`{{ 'a'|length(1) }}`, failsToRun, ``},
		{`{{ [1]|first(2) }}`, failsToRun, ``},
		{`{{ [1]|map('upper','x')|list }}`, failsToRun, ``},
		{`{{ ['a']|map('replace','a')|list }}`, failsToRun, ``},
		{`{{ ['a']|map('upper',x=1)|list }}`, failsToRun, ``},
		{`{{ 1 is divisibleby }}`, failsToRun, ``},
		{`{{ 1 is sameas }}`, failsToRun, ``},
		{`{{ 1 is defined(1) }}`, failsToRun, ``},
		{`{{ 1 is eq }}`, failsToRun, ``},
		{`{{ 1 is in }}`, failsToRun, ``},
		{`{{ 1 is odd(1) }}`, failsToRun, ``},
		{`{{ [1,2]|select('eq')|list }}`, failsToRun, ``},
		{`{{ [1,2]|select('eq',1)|list }}`, renders, `[1]`},
		{`{{ [1,2]|select('odd',1)|list }}`, failsToRun, ``},
		{`{{ '%#x %#X %#o %x %X'|format(255,255,8,255,255) }}`, renders, `0xff 0XFF 0o10 ff FF`},
		{`{{ '%#x' % -255 }}|{{ '%#8x|%#08x|%-#8x|%+#x|% #x|%#08x|%+#08x' % (10,10,10,10,10,-10,10) }}|{{ '%#d' % 5 }}`, renders, `-0xff|     0xa|0x00000a|0xa     |+0xa| 0xa|-0x0000a|+0x0000a|5`},
		{`{{ '%.3d|%.5x|%#.5x|%8.3d|%08.3d|%-8.3d|%+.3d|%#010.4x' % (5,255,255,5,5,5,5,255) }}`, renders, `005|000ff|0x000ff|     005|00000005|005     |+005|0x000000ff`},
		{`{{ '%x' % 1.5 }}`, failsToRun, ``},
		{`{{ '%d' % 1.9 }}|{{ '%i' % -1.9 }}`, renders, `1|-1`},
		{`{{ 'see http://a.com/x(y), www.b.org. <c@d.com> mailto:e@f.io (g.net) @h@i.com <https://j.k/l>'|urlize }}`, renders, `see <a href="http://a.com/x(y)" rel="noopener">http://a.com/x(y)</a>, <a href="https://www.b.org" rel="noopener">www.b.org</a>. &lt;<a href="mailto:c@d.com">c@d.com</a>&gt; <a href="mailto:e@f.io">e@f.io</a> (g.net) @h@i.com &lt;https://j.k/l&gt;`},
		{`{{ 'http://example.com/a/b/c'|urlize(10) }}|{{ 'http://example.com/'|urlize(10,true) }}|{{ 'http://example.com/'|urlize(target='_blank',rel='a b') }}`, renders, `<a href="http://example.com/a/b/c" rel="noopener">http://exa...</a>|<a href="http://example.com/" rel="nofollow noopener">http://exa...</a>|<a href="http://example.com/" rel="a b noopener" target="_blank">http://example.com/</a>`},
		{`{{ 'tel:123 ftp://x'|urlize(extra_schemes=['tel:','ftp://']) }}`, renders, `<a href="tel:123" rel="noopener">tel:123</a> <a href="ftp://x" rel="noopener">ftp://x</a>`},
		{`{{ 'x & y <b> http://a.com?q=1&r=2'|urlize }}`, renders, `x &amp; y &lt;b&gt; <a href="http://a.com?q=1&amp;r=2" rel="noopener">http://a.com?q=1&amp;r=2</a>`},
		{`{{ '(http://a.com/(b)) http://1.2.3.4:80/x http://[::1] foo.com:99999 foo.museum'|urlize }}`, renders, `(<a href="http://a.com/(b)" rel="noopener">http://a.com/(b)</a>) <a href="http://1.2.3.4:80/x" rel="noopener">http://1.2.3.4:80/x</a> <a href="http://[::1]" rel="noopener">http://[::1]</a> <a href="https://foo.com:99999" rel="noopener">foo.com:99999</a> foo.museum`},
		{`{{ 'a'|urlize(extra_schemes=['x']) }}`, failsToRun, ``},
		{`{{ 'a b'|wordwrap(1,true) }}`, renders, "a\nb"},
		{`{{ 5|round(1,'x') }}`, failsToRun, ``},
		{`{{ 'ß' is upper }}|{{ 'ß' is lower }}|{{ 'A1' is upper }}|{{ 'SS'.isupper() }}|{{ 'ß'.islower() }}|{{ 'ß'.istitle() }}|{{ 'Aß'.istitle() }}`, renders, `False|True|True|True|True|False|True`},
		{`{{ [1,2,3]|sum(attribute=None,start=2) }}|{{ [3,1]|sort(true) }}|{{ ['b','A']|sort(case_sensitive=true) }}`, renders, `8|[3, 1]|['A', 'b']`},
		{`{{ {'a':1}|xmlattr(false) }}|{{ 5|filesizeformat(true) }}|{{ 'abc'|center(7)|length }}|{{ {'b':1,'a':2}|dictsort(false,'value') }}`, renders, `a="1"|5 Bytes|7|[('b', 1), ('a', 2)]`},
		{`{{ 'a'|tojson(2) }}`, renders, `"a"`},
		{`{{ 'ß'|upper }}{{ 'ßa'|capitalize }}{{ 'ß ßx'|title }}{{ 'ﬁ'|upper }}{{ 'ŉ'.upper() }}{{ 'ǆa'.title() }}{{ 'ǆa'.capitalize() }}`, renders, `SSSsaSS SSxFIʼNǅaǅa`},
		{`{{ 'İ'|lower|length }}{{ 'ΑΣ ΑΣΑ Σ'|lower }}{{ 'ΑΣ'.swapcase() }}{{ 'ß'.swapcase() }}{{ 'ß'.casefold() }}{{ 'ΑΣ'.capitalize() }}{{ 'ΑΣ'.title() }}{{ 'ΑΣ'.casefold() }}`, renders, `2ας ασα σαςSSssΑςΑςασ`},
		{`{{ "they're bill's"|title }}{{ "they're bill's".title() }}{{ 'a-b (c {d [e <f'|title }}`, renders, `They're Bill'sThey'Re Bill'SA-B (C {D [E <F`},
		{`{{ 'ΐ'|upper }}{{ 'ᾳ'|upper }}{{ 'ᾳ'.title() }}{{ 'և'|upper }}{{ 'Ǆ'.lower() }}{{ 'Ǆ'.swapcase() }}`, renders, `Ϊ́ΑΙᾼԵՒǆǆ`},
		{`{{ 'abc def-ghi jkl'|wordwrap(5) }}`, renders, "abc\ndef-\nghi\njkl"},
		{`{{ 'abcdefghij kl'|wordwrap(4,false) }}`, renders, "abcdefghij\nkl"},
		{`{{ 'abc def ghi'|wordwrap(4,true,'|') }}`, renders, `abc|def|ghi`},
		{`{{ 'abc-def ghi-jkl'|wordwrap(6,true,none,false) }}`, renders, "abc-de\nf ghi-\njkl"},
		{`{{ 'a\n\nb c'|wordwrap(3) }}`, renders, "a\n\nb c"},
		{`{{ 'abcdefgh ij'|truncate(5) }}|{{ 'abcdefgh ij'|truncate(5,true) }}|{{ 'abc def'|truncate(5,false,'..',0) }}|{{ 'abc def'|truncate(2,end='...') }}`, failsToRun, ``},
		{`{{ ['a','A','b']|unique|list }}|{{ ['a','A','b']|unique(true)|list }}|{{ [{'a':1},{'a':1}]|unique(attribute='a')|list|length }}`, renders, `['a', 'b']|['a', 'A', 'b']|1`},
		{`{{ 'x'|int('y') }}|{{ '0x1f'|int(0,16) }}|{{ '1f'|int(base=16) }}|{{ '0b11'|int(0,2) }}|{{ '0o17'|int(0,8) }}|{{ '12.7'|int }}|{{ none|int(5) }}`, renders, `y|31|31|3|15|12|5`},
		{`{{ '1.5'|float }}|{{ 'x'|float(2.5) }}|{{ none|float }}|{{ '1_0'|float }}|{{ 'inf'|float }}`, renders, `1.5|2.5|0.0|10.0|inf`},
		{`{{ 2.5|round }}|{{ 2.567|round(2) }}|{{ 25|round(-1) }}|{{ 2.1|round(0,'ceil') }}|{{ 2.9|round(0,'floor') }}|{{ 5|round }}`, renders, `2.0|2.57|20|3.0|2.0|5`},
		{`{{ [1,2,3,4,5]|batch(2)|list }}|{{ [1,2,3]|batch(2,0)|list }}|{{ [1,2,3,4,5]|slice(3)|list }}|{{ [1,2,3]|slice(2,'x')|list }}`, renders, `[[1, 2], [3, 4], [5]]|[[1, 2], [3, 0]]|[[1, 2], [3, 4], [5]]|[[1, 2], [3, 'x']]`},
		{`{{ [{'a':1,'b':2},{'a':1,'b':3}]|groupby('a') }}|{{ [{'b':1}]|groupby('a',default='z') }}`, renders, `[(1, [{'a': 1, 'b': 2}, {'a': 1, 'b': 3}])]|[('z', [{'b': 1}])]`},
		{`{{ ['a','b']|join }}|{{ [{'x':1},{'x':2}]|join(',',attribute='x') }}|{{ {'a':1}|join('-') }}`, renders, `ab|1,2|a`},
		{`{{ [3,1,2]|sort(reverse=true) }}|{{ ['b','A','c']|sort }}|{{ [{'a':2},{'a':1}]|sort(attribute='a') }}`, renders, `[3, 2, 1]|['A', 'b', 'c']|[{'a': 1}, {'a': 2}]`},
		{`{{ [1,2]|max }}|{{ []|max }}|{{ ['a','B']|max }}|{{ ['a','B']|max(true) }}|{{ [{'a':2},{'a':1}]|min(attribute='a') }}`, renders, `2||B|a|{'a': 1}`},
		{`{{ 1000|filesizeformat }}|{{ 1|filesizeformat }}|{{ 0|filesizeformat }}|{{ 1048576|filesizeformat(true) }}|{{ '1234567'|filesizeformat }}`, renders, `1.0 kB|1 Byte|0 Bytes|1.0 MiB|1.2 MB`},
		{`{{ 'a b&c'|urlencode }}|{{ {'a b':'c&d'}|urlencode }}|{{ [('a',1)]|urlencode }}`, renders, `a%20b%26c|a+b=c%26d|a=1`},
		{`{{ {'a':'<','b':none}|xmlattr }}`, renders, ` a="&lt;"`},
		{`{{ '<p>a  b</p><!-- c -->'|striptags }}|{{ 'a b-c d_e'|wordcount }}`, renders, `a b|4`},
		{`{{ 'abc'|reverse }}|{{ [1,2]|reverse|list }}|{{ 'abc'|list }}|{{ {'a':1}|list }}|{{ {'b':1,'a':2}|dictsort }}|{{ {'b':1,'a':2}|dictsort(by='value',reverse=true) }}`, renders, `cba|[2, 1]|['a', 'b', 'c']|['a']|[('a', 2), ('b', 1)]|[('a', 2), ('b', 1)]`},
		{`{{ 'a'|indent }}|{{ 'a\nb\n\nc'|indent(2) }}|{{ 'a\nb\n\nc'|indent(2,true,true) }}|{{ 'a\nb'|indent('> ') }}`, renders, "a|a\n  b\n\n  c|  a\n  b\n  \n  c|a\n> b"},
		{`{{ [1,[2]]|pprint }}|{{ 'a'|pprint }}|{{ none|default('x') }}|{{ none|default('x',true) }}|{{ q|default }}|{{ ''|d('y',boolean=true) }}`, renders, `[1, [2]]|'a'|None|x||y`},
		{`{{ [0,1,none,'']|select|list }}|{{ [0,1]|reject|list }}|{{ [{'a':1},{'a':0}]|selectattr('a')|list }}|{{ [{'a':1}]|selectattr('a','eq',1)|list }}|{{ [{'a':1}]|rejectattr('a','equalto',1)|list }}`, renders, `[1]|[0]|[{'a': 1}]|[{'a': 1}]|[]`},
		{`{{ [{'a':1},{}]|map(attribute='a',default=5)|list }}|{{ ['a']|map('upper')|list }}|{{ [[1,2]]|map('sum')|list }}|{{ [{'a':1}]|map('attr','a')|list }}`, renders, `[1, 5]|['A']|[3]|[Undefined]`},
		{`{{ {'a':1}|items|list }}|{{ q|items|list }}`, renders, `[('a', 1)]|[]`},
		{`{{ 1 is number }}|{{ true is integer }}|{{ 1.0 is float }}|{{ 'a' is string }}|{{ {} is mapping }}|{{ [] is sequence }}|{{ 1 is iterable }}|{{ range is callable }}|{{ 4 is divisibleby 2 }}|{{ 1 is sameas 1 }}|{{ none is none }}|{{ 1 in [1] }}|{{ 1 is in [1] }}|{{ 'a' is lower }}|{{ 2 is even }}`, renders, `True|False|True|True|True|True|False|True|True|True|True|True|True|True|True`},
		{`{{ range(3) is sequence }}|{{ {}.items() is sequence }}|{{ {}.items() is iterable }}|{{ range(3) is iterable }}|{{ {}.keys() is mapping }}`, renders, `True|False|True|True|False`},
		{`{{ 'a,b,c'.split(',',1) }}|{{ 'abc'.upper(1) }}`, failsToRun, ``},
		{`{{ 'abc'.find('c') }}|{{ 'abc'.index('c') }}|{{ 'aXbX'.count('X') }}|{{ 'abc'.startswith(('x','a')) }}|{{ 'a b'.split() }}|{{ 'ab'.zfill(5) }}|{{ 'a'.ljust(3,'.') }}`, renders, `2|2|2|True|['a', 'b']|000ab|a..`},
		{`{{ 'abc'.find() }}`, failsToRun, ``},
		{`{{ 'abc'.startswith() }}`, failsToRun, ``},
		{`{{ 'a'.join() }}`, failsToRun, ``},
		{`{{ 'abc'.replace('a') }}`, failsToRun, ``},
		{`{{ 'abc'.split(',',1,2) }}`, failsToRun, ``},
		{`{{ 'abc'.strip('a','b') }}`, failsToRun, ``},
		{`{{ {'a':1}.get() }}`, failsToRun, ``},
		{`{{ {'a':1}.get('b','c','d') }}`, failsToRun, ``},
		{`{{ {'a':1}.items(1) }}`, failsToRun, ``},
		{`{{ range() }}`, failsToRun, ``},
		{`{{ range('a') }}`, failsToRun, ``},
		{`{{ dict(a=1,b=2) }}|{{ dict([('a',1)]) }}|{{ dict({'a':1},b=2) }}|{{ namespace(a=1).a }}|{{ cycler('a','b').next() }}`, renders, `{'a': 1, 'b': 2}|{'a': 1}|{'a': 1, 'b': 2}|1|a`},
		{`{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1,2) }}`, failsToRun, ``},
		{`{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}`, failsToRun, ``},
		{`{% macro m(a,b=3) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1,b=2) }}{{ m() }}`, renders, `13123`},
		{`{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1,a=2) }}`, failsToRun, ``},
		{`{{ 'aXbXc'.count('X',2) }}|{{ 'abcabc'.find('a',1) }}|{{ 'abcabc'.rfind('a',0,3) }}|{{ 'abc'.startswith('b',1) }}|{{ 'abc'.endswith('b',0,2) }}|{{ 'abc'.find('a',-2) }}|{{ 'abc'.find('',9) }}|{{ 'abc'.startswith('',9) }}|{{ 'abc'.find('',3) }}|{{ 'äbäb'.index('b',2) }}`, renders, `1|3|0|True|True|-1|-1|False|3|3`},
		{`{{ [1,2,1].index(1,1) }}|{{ [1,2].count(2) }}`, renders, `2|1`},
		{`{{ [1].index(1,5) }}`, failsToRun, ``},
		{`{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1,2,3,b=4) }}`, renders, `1(2, 3){'b': 4}`},
		{`{% macro m() %}{{ caller(1) }}{% endmacro %}{% call(x) m() %}{{ x }}{% endcall %}`, renders, `1`},
		{`{% macro m() %}{{ caller(1,2) }}{% endmacro %}{% call(x) m() %}{{ x }}{% endcall %}`, failsToRun, ``},
		{`{% macro m() %}x{% endmacro %}{% call m() %}{% endcall %}`, failsToRun, ``},
		{`{{ 'abc def'|truncate(5,true,'..',0) }}|{{ 'abc def'|truncate(4,leeway=9) }}|{{ 'abc def'|truncate(5,true,'..',none) }}`, renders, `abc..|abc def|abc def`},
		{`{{ 'a  b'|wordwrap(10) }}|{{ '  a b'|wordwrap(3) }}|{{ 'a\n\nb c'|wordwrap(1) }}|{{ 'abc-def ghi-jkl'|wordwrap(6,true,none,false) }}|{{ 'abc-def'|wordwrap(5) }}|{{ 'a-b-c-d'|wordwrap(3) }}`, renders, "a  b|  a\nb|a\n\nb\nc|abc-de\nf ghi-\njkl|abc-\ndef|a-\nb-\nc-d"},
		{`{{ 'abcdefghij kl'|wordwrap(4,true) }}|{{ 'ab-cdefghij kl'|wordwrap(4) }}|{{ 'x 123-456'|wordwrap(5) }}|{{ 'a b c d e'|wordwrap(3,wrapstring='; ') }}|{{ 'a b'|wordwrap(79) }}|{{ ''|wordwrap }}`, renders, "abcd\nefgh\nij\nkl|ab-c\ndefg\nhij\nkl|x 123\n-456|a b; c d; e|a b|"},
		{`{{ 'a'|wordwrap(0) }}`, failsToRun, ``},
		{`{{ 'one two three-four five_six-seven eight-n-ine'|wordwrap(9) }}|{{ 'ab    cd    ef'|wordwrap(5) }}|{{ 'abc '|wordwrap(2) }}`, renders, "one two\nthree-\nfour\nfive_six-\nseven\neight-n-\nine|ab\ncd\nef|ab\nc"},
		{`{{ 'äöü-äöü ßß'|wordwrap(5) }}`, renders, "äöü-\näöü\nßß"},
		{`{{ 'abcdefghijkl mno'|wordwrap(5,false) }}|{{ 'ab abcdefghijkl mno'|wordwrap(5,false) }}|{{ 'ab abcdefghijkl mno'|wordwrap(5) }}`, renders, "abcdefghijkl\nmno|ab\nabcdefghijkl\nmno|ab ab\ncdefg\nhijkl\nmno"},
		{`{{ 25|round(-1) }}|{{ 35|round(-1) }}|{{ 25.0|round(-1) }}|{{ -15|round(-1) }}|{{ [('a','b c'),['x',1]]|urlencode }}`, renders, `20|40|20.0|-20|a=b+c&x=1`},
		{`{{ [1]|urlencode }}`, failsToRun, ``},
	} {
		ends, out := renders, ""
		parsed, err := Parse(c.template)
		if err != nil {
			ends = failsToParse
		} else if r, err := parsed.Render(NewDict(), Options{Now: time.Now}); err != nil {
			ends = failsToRun
		} else {
			out = r.Text
		}
		if ends != c.ends || out != c.out {
			t.Errorf("%s: %s, %q; want %s, %q", c.template, ends, out, c.ends, c.out)
		}
	}
}

func TestRandom(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		out, err := render(`{{ ['a', 'b', 'c']|random }}{{ []|random }}{{ 'x'|random }}`, NewDict())
		if err != nil || len(out) != 2 || !strings.HasSuffix(out, "x") {
			t.Fatalf("%q, %v", out, err)
		}
		seen[out] = true
	}
	if len(seen) != 3 || !seen["ax"] || !seen["bx"] || !seen["cx"] {
		t.Errorf("of three entries %v were chosen", seen)
	}
}

// Every filter and test has its arguments checked, but those that pass them on.
func TestSignaturesAreWhole(t *testing.T) {
	for n := range filterSignatures {
		if filters[n] == nil {
			t.Errorf("there is no filter %s", n)
		}
	}
	for n := range testSignatures {
		if tests[n] == nil {
			t.Errorf("there is no test %s", n)
		}
	}
	free := " format map select reject selectattr rejectattr tojson e d count "
	for n := range filters {
		if _, listed := filterSignatures[n]; !listed && !strings.Contains(free, " "+n+" ") {
			t.Errorf("the filter %s takes any arguments", n)
		}
	}
}
