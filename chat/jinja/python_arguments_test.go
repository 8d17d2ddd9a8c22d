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
		{`{{ 'a b'|wordwrap(1,true) }}`, renders, `a
b`},
		{`{{ 5|round(1,'x') }}`, failsToRun, ``},
		{`{{ 'ß' is upper }}|{{ 'ß' is lower }}|{{ 'A1' is upper }}|{{ 'SS'.isupper() }}|{{ 'ß'.islower() }}|{{ 'ß'.istitle() }}|{{ 'Aß'.istitle() }}`, renders, `False|True|True|True|True|False|True`},
		{`{{ [1,2,3]|sum(attribute=None,start=2) }}|{{ [3,1]|sort(true) }}|{{ ['b','A']|sort(case_sensitive=true) }}`, renders, `8|[3, 1]|['A', 'b']`},
		{`{{ {'a':1}|xmlattr(false) }}|{{ 5|filesizeformat(true) }}|{{ 'abc'|center(7)|length }}|{{ {'b':1,'a':2}|dictsort(false,'value') }}`, renders, `a="1"|5 Bytes|7|[('b', 1), ('a', 2)]`},
		{`{{ 'a'|tojson(2) }}`, renders, `"a"`},
		{`{{ 'ß'|upper }}{{ 'ßa'|capitalize }}{{ 'ß ßx'|title }}{{ 'ﬁ'|upper }}{{ 'ŉ'.upper() }}{{ 'ǆa'.title() }}{{ 'ǆa'.capitalize() }}`, renders, `SSSsaSS SSxFIʼNǅaǅa`},
		{`{{ 'İ'|lower|length }}{{ 'ΑΣ ΑΣΑ Σ'|lower }}{{ 'ΑΣ'.swapcase() }}{{ 'ß'.swapcase() }}{{ 'ß'.casefold() }}{{ 'ΑΣ'.capitalize() }}{{ 'ΑΣ'.title() }}{{ 'ΑΣ'.casefold() }}`, renders, `2ας ασα σαςSSssΑςΑςασ`},
		{`{{ "they're bill's"|title }}{{ "they're bill's".title() }}{{ 'a-b (c {d [e <f'|title }}`, renders, `They're Bill'sThey'Re Bill'SA-B (C {D [E <F`},
		{`{{ 'ΐ'|upper }}{{ 'ᾳ'|upper }}{{ 'ᾳ'.title() }}{{ 'և'|upper }}{{ 'Ǆ'.lower() }}{{ 'Ǆ'.swapcase() }}`, renders, `Ϊ́ΑΙᾼԵՒǆǆ`},
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
