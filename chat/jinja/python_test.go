package jinja

import (
	"testing"
	"time"
)

// This file owns what Python says where the golden cases are silent: jinja2 3.1.6 in the immutable sandbox, and strftime.

// Where a template fails.
const (
	renders      = "ok"
	failsToParse = "parse"
	failsToRun   = "run"
)

func TestAsJinja2(t *testing.T) {
	for _, c := range []struct{ template, ends, out string }{
		{`{{ 1|nosuch }}`, failsToParse, ""},
		{`{{ 1 is nosuch }}`, failsToParse, ""},
		{`{% if false %}{{ 1|nosuch }}{% endif %}`, renders, ``},
		{`{% if true %}{{ 1|nosuch }}{% endif %}`, failsToRun, ""},
		{`{% if false %}{{ 1 is nosuch }}{% endif %}`, renders, ``},
		{`{% if false %}{% elif 1|nosuch %}{% endif %}`, failsToRun, ""},
		{`{% if true %}a{% elif 1|nosuch %}{% endif %}`, renders, `a`},
		{`{% if true %}a{% else %}{{ 1|nosuch }}{% endif %}`, renders, `a`},
		{`{% if true %}a{% else %}{% for x in [1] %}{{ 1|nosuch }}{% endfor %}{% endif %}`, failsToParse, ""},
		{`{% if true %}a{% else %}{% for x in [1]|nosuch %}{% endfor %}{% endif %}`, renders, `a`},
		{`{% if true %}a{% else %}{% for x in [1] if x|nosuch %}{% endfor %}{% endif %}`, failsToParse, ""},
		{`{% if true %}a{% else %}{% set x = 1|nosuch %}{% endif %}`, renders, `a`},
		{`{% if true %}a{% else %}{% set x %}{{ 1|nosuch }}{% endset %}{% endif %}`, failsToParse, ""},
		{`{% if true %}a{% else %}{% set x | nosuch %}1{% endset %}{% endif %}`, failsToParse, ""},
		{`{% if true %}a{% else %}{% macro m() %}{{ 1|nosuch }}{% endmacro %}{% endif %}`, failsToParse, ""},
		{`{% if true %}a{% else %}{% filter nosuch %}1{% endfilter %}{% endif %}`, failsToParse, ""},
		{`{% if true %}a{% else %}{% filter upper %}{{ 1|nosuch }}{% endfilter %}{% endif %}`, failsToParse, ""},
		{`{% if true %}a{% else %}{% with x = 1 %}{{ 1|nosuch }}{% endwith %}{% endif %}`, failsToParse, ""},
		{`{% if true %}a{% else %}{% with x = 1|nosuch %}{% endwith %}{% endif %}`, renders, `a`},
		{`{% for x in [] %}{{ 1|nosuch }}{% endfor %}`, failsToParse, ""},
		{`{% for x in [] %}{% if true %}a{% else %}{{ 1|nosuch }}{% endif %}{% endfor %}`, renders, ``},
		{`{% for x in [1] %}a{% else %}{{ 1|nosuch }}{% endfor %}`, failsToParse, ""},
		{`{{ 1|nosuch if false else 'a' }}`, renders, `a`},
		{`{{ 'a' if true else 1|nosuch }}`, renders, `a`},
		{`{{ 'a' if true else 1 is nosuch }}`, renders, `a`},
		{`{{ 'a' if (1 is nosuch) else 1 }}`, failsToRun, ""},
		{`{{ [1|nosuch if false else 'a', 2|nosuch] }}`, failsToParse, ""},
		{`{{ ([1]|map('nosuch')|list) if false else 'a' }}`, renders, `a`},
		{`{{ [1]|map('nosuch')|list }}`, failsToRun, ""},
		{`{{ []|map('nosuch')|list }}`, renders, `[]`},
		{`{{ []|select('nosuch')|list }}`, renders, `[]`},
		{`{% if 'nosuch' is filter %}{{ 1|nosuch }}{% else %}a{% endif %}`, renders, `a`},
		{`{% if '<' is test %}a{% endif %}`, renders, `a`},
		{`{% macro m() %}{% if false %}{{ 1|nosuch }}{% endif %}a{% endmacro %}{{ m() }}`, renders, `a`},
		{`{% set x = 1|nosuch if false else 'a' %}{{ x }}`, renders, `a`},
		{`{% call(x) (1|nosuch) %}{% endcall %}`, failsToParse, ""},
		{`{% if true %}a{% else %}{% call m(1|nosuch) %}{% endcall %}{% endif %}`, renders, `a`},
		{`{% if true %}a{% else %}{% call m() %}{{ 1|nosuch }}{% endcall %}{% endif %}`, failsToParse, ""},
		{`{% if true %}a{% else %}{% if true %}{% else %}{{ 1|nosuch }}{% endif %}{% endif %}`, renders, `a`},
		{`{% if true %}a{% else %}{% block b %}{{ 1|nosuch }}{% endblock %}{% endif %}`, failsToParse, ""},
		{`{{ [1,2,3]|select('>=',2)|list }}`, renders, `[2, 3]`},
		{`{{ [1,2,3]|select('==',2)|list }}`, renders, `[2]`},
		{`{{ [1,2,3]|reject('!=',2)|list }}`, renders, `[2]`},
		{`{{ [1,2,3]|select('<',2)|list }}`, renders, `[1]`},
		{`{{ [1,2,3]|select('<=',2)|list }}`, renders, `[1, 2]`},
		{`{{ [1,2,3]|select('>',2)|list }}`, renders, `[3]`},
		{`{{ [{'a':1},{'a':2}]|selectattr('a','==',2)|list }}`, renders, `[{'a': 2}]`},
		{`{{ [{'a':1},{'a':2}]|rejectattr('a','<',2)|list }}`, renders, `[{'a': 2}]`},
		{`{% for g in [{'a':1,'b':2},{'a':1,'b':3},{'a':2,'b':4}]|groupby('a') %}{{ g.grouper }}:{{ g.list|length }}:{{ g[0] }}:{{ g['grouper'] }};{% endfor %}`, renders, `1:2:1:1;2:1:2:2;`},
		{`{{ [{'a':1,'b':2},{'a':2,'b':3}]|groupby('a')|map(attribute='grouper')|list }}`, renders, `[1, 2]`},
		{`{{ [{'a':1,'b':2},{'a':2,'b':3}]|groupby('a')|map(attribute='list')|list }}`, renders, `[[{'a': 1, 'b': 2}], [{'a': 2, 'b': 3}]]`},
		{`{{ [{'a':1}]|groupby('a')|first }}`, renders, `(1, [{'a': 1}])`},
		{`{{ ([{'a':1}]|groupby('a')|first) is sequence }}`, renders, `True`},
		{`{% for k, l in [{'a':'x'},{'a':'X'}]|groupby('a') %}{{ k }}{{ l|length }}{% endfor %}`, renders, `x2`},
		{`{{ ([{'a':1}]|groupby('a')|first).count(1) }}`, renders, `1`},
		{`{{ ([{'a':1}]|groupby('a')|first).nosuch is defined }}`, renders, `False`},
		{`{{ (1,2).grouper is defined }}`, renders, `False`},
		{`{{ ([{'a':1}]|groupby('a')|first) == (1, [{'a':1}]) }}`, renders, `True`},
		{`{{ ([{'b':1}]|groupby('a', default='z')|first).grouper }}`, renders, `z`},
		{`{{ 'a b  '.split(None,1) }}{{ '  a b'.rsplit(None,1) }}{{ ' a b '.split(None,0) }}{{ ''.split(None,1) }}`, renders, `['a', 'b  ']['  a', 'b']['a b '][]`},
		{`{{ 'aXbXc'.replace('','-') }}{{ 'abc'.replace('','-',2) }}{{ 'aaa'.replace('a','b',2) }}`, renders, `-a-X-b-X-c--a-bcbba`},
		{`{{ 'one two  three four'|wordwrap(7) }}|{{ 'abcdefghij kl'|wordwrap(4) }}|{{ 'ab abcdefghij'|wordwrap(4) }}`, renders, "one two\nthree\nfour|abcd\nefgh\nij\nkl|ab a\nbcde\nfghi\nj"},
		{`{{ '<b>a  b</b> c <i'|striptags }}`, renders, `a b c <i`},
		{`{{ 'x y/z?é'|urlencode }}{{ {'a b':'c&d'}|urlencode }}`, renders, `x%20y/z%3F%C3%A9a+b=c%26d`},
		{"{{ 'a\\nb\\n\\nc\\n'|indent(2) }}|{{ 'a\\nb'|indent(2,true) }}|{{ 'a\\n\\nb'|indent(2,blank=true) }}|{{ 'a\\nb'|indent('> ') }}", renders, "a\n  b\n\n  c\n|  a\n  b|a\n  \n  b|a\n> b"},
		{`{{ {'a':1,'b':none,'c':'<'}|xmlattr }}{{ {'a':1}|xmlattr(false) }}`, renders, ` a="1" c="&lt;"a="1"`},
		{`{{ 'ab'|e }}{{ '<'|e|e }}{{ '<'|forceescape }}{{ ('<'|safe)|forceescape }}`, renders, `ab&lt;&lt;&lt;`},
		{`{{ '%5s|%-5s|%.2s|%c|%05d|%+d|%x' % ('ab','ab','abc','z',7,7,255) }}`, renders, `   ab|ab   |ab|z|00007|+7|ff`},
		{`{{ '{:>5}|{:<5}|{:^5}|{:*^7}|{:05d}|{:,}|{:+}|{:.2f}|{!r}'.format('a','a','a','a',7,1234567,7,1.5,'q') }}`, renders, `    a|a    |  a  |***a***|00007|1,234,567|+7|1.50|'q'`},
		{`{{ 'ab'.zfill(5) }}{{ '-7'.zfill(5) }}{{ 'ab'.center(7,'*') }}{{ 'ab'.ljust(4,'é') }}{{ 'ab'.rjust(4) }}`, renders, `000ab-0007***ab**abéé  ab`},
		{"{{ \"it's\" }}{{ [\"it's\", 'q\"q', 'a\\nb\\t\\\\', 'é\\x7f'] }}", renders, "it's[\"it's\", 'q\"q', 'a\\nb\\t\\\\', 'é\\x7f']"},
		{"{{ [\"\\u00e9\\U0001F600\\u0001\"]|tojson }}{{ [\"\\u00e9\\U0001F600\"]|tojson(ensure_ascii=true) }}", renders, "[\"é😀\\u0001\"][\"\\u00e9\\ud83d\\ude00\"]"},
		{`{{ 'hello world foo'|truncate(9) }}{{ 'hello world foo'|truncate(9,true,'..',0) }}`, renders, `hello...hello w..`},
	} {
		ends, out := renders, Rendered{}
		template, err := Parse(c.template)
		if err != nil {
			ends = failsToParse
		} else if out, err = template.Render(NewDict(), Options{}); err != nil {
			ends = failsToRun
		}
		if ends != c.ends || out.Text != c.out {
			t.Errorf("%s\n got %s %q (%v)\nwant %s %q", c.template, ends, out.Text, err, c.ends, c.out)
		}
	}
}

func TestStrftime(t *testing.T) {
	for _, c := range []struct{ at, format, want string }{
		{`2026-11-24T09:05:07`, `%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%k|%l|%m|%M|%n|%p|%P|%r|%R|%s|%S|%t|%T|%u|%U|%V|%w|%W|%x|%X|%y|%Y|%z|%Z|%f|%-d|%-m|%-H|%-I|%-M|%-S|%-j|%-y|%-U|%-V|%-W|%-e|%-k|%_d|%_m|%_H|%0e|%^a|%^B|%#p|%#a|%5d|%_5j|%-5d|%10A|%05Y|%Ey|%Od|%Q|x%%y|%d %B %Y|%3N|%_3S|%-I:%M %p|%010A|%^5b|%-k|%0k|%-y|%_y|%2s|%+|%+4Y|%Ex|%i|%J|%:z|%-U|%03U`, "Tue|Tuesday|Nov|November|Tue Nov 24 09:05:07 2026|20|24|11/24/26|24|2026-11-24|26|2026|Nov|09|09|328| 9| 9|11|05|\n|AM|am|09:05:07 AM|09:05|1795511107|07|\t|09:05:07|2|47|48|2|47|11/24/26|09:05:07|26|2026|||000000|24|11|9|9|5|7|328|26|47|48|47|24|9|24|11| 9|24|TUE|NOVEMBER|am|TUE|00024|  328|   24|   Tuesday|02026|26|24|%Q|x%y|24 November 2026|%3N|  7|9:05 AM|000Tuesday|  NOV|9|09|26|26|1795511107|%+|%+4Y|11/24/26|%i|%J|%:z|47|047"},
		{`2027-01-01T00:00:00`, `%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%k|%l|%m|%M|%n|%p|%P|%r|%R|%s|%S|%t|%T|%u|%U|%V|%w|%W|%x|%X|%y|%Y|%z|%Z|%f|%-d|%-m|%-H|%-I|%-M|%-S|%-j|%-y|%-U|%-V|%-W|%-e|%-k|%_d|%_m|%_H|%0e|%^a|%^B|%#p|%#a|%5d|%_5j|%-5d|%10A|%05Y|%Ey|%Od|%Q|x%%y|%d %B %Y|%3N|%_3S|%-I:%M %p|%010A|%^5b|%-k|%0k|%-y|%_y|%2s|%+|%+4Y|%Ex|%i|%J|%:z|%-U|%03U`, "Fri|Friday|Jan|January|Fri Jan  1 00:00:00 2027|20|01|01/01/27| 1|2027-01-01|26|2026|Jan|00|12|001| 0|12|01|00|\n|AM|am|12:00:00 AM|00:00|1798761600|00|\t|00:00:00|5|00|53|5|00|01/01/27|00:00:00|27|2027|||000000|1|1|0|12|0|0|1|27|0|53|0|1|0| 1| 1| 0|01|FRI|JANUARY|am|FRI|00001|    1|    1|    Friday|02027|27|01|%Q|x%y|01 January 2027|%3N|  0|12:00 AM|0000Friday|  JAN|0|00|27|27|1798761600|%+|%+4Y|01/01/27|%i|%J|%:z|0|000"},
		{`2024-12-30T13:59:59`, `%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%k|%l|%m|%M|%n|%p|%P|%r|%R|%s|%S|%t|%T|%u|%U|%V|%w|%W|%x|%X|%y|%Y|%z|%Z|%f|%-d|%-m|%-H|%-I|%-M|%-S|%-j|%-y|%-U|%-V|%-W|%-e|%-k|%_d|%_m|%_H|%0e|%^a|%^B|%#p|%#a|%5d|%_5j|%-5d|%10A|%05Y|%Ey|%Od|%Q|x%%y|%d %B %Y|%3N|%_3S|%-I:%M %p|%010A|%^5b|%-k|%0k|%-y|%_y|%2s|%+|%+4Y|%Ex|%i|%J|%:z|%-U|%03U`, "Mon|Monday|Dec|December|Mon Dec 30 13:59:59 2024|20|30|12/30/24|30|2024-12-30|25|2025|Dec|13|01|365|13| 1|12|59|\n|PM|pm|01:59:59 PM|13:59|1735567199|59|\t|13:59:59|1|52|01|1|53|12/30/24|13:59:59|24|2024|||000000|30|12|13|1|59|59|365|24|52|1|53|30|13|30|12|13|30|MON|DECEMBER|pm|MON|00030|  365|   30|    Monday|02024|24|30|%Q|x%y|30 December 2024|%3N| 59|1:59 PM|0000Monday|  DEC|13|13|24|24|1735567199|%+|%+4Y|12/30/24|%i|%J|%:z|52|052"},
		{`2023-01-01T12:00:01`, `%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%k|%l|%m|%M|%n|%p|%P|%r|%R|%s|%S|%t|%T|%u|%U|%V|%w|%W|%x|%X|%y|%Y|%z|%Z|%f|%-d|%-m|%-H|%-I|%-M|%-S|%-j|%-y|%-U|%-V|%-W|%-e|%-k|%_d|%_m|%_H|%0e|%^a|%^B|%#p|%#a|%5d|%_5j|%-5d|%10A|%05Y|%Ey|%Od|%Q|x%%y|%d %B %Y|%3N|%_3S|%-I:%M %p|%010A|%^5b|%-k|%0k|%-y|%_y|%2s|%+|%+4Y|%Ex|%i|%J|%:z|%-U|%03U`, "Sun|Sunday|Jan|January|Sun Jan  1 12:00:01 2023|20|01|01/01/23| 1|2023-01-01|22|2022|Jan|12|12|001|12|12|01|00|\n|PM|pm|12:00:01 PM|12:00|1672574401|01|\t|12:00:01|7|01|52|0|00|01/01/23|12:00:01|23|2023|||000000|1|1|12|12|0|1|1|23|1|52|0|1|12| 1| 1|12|01|SUN|JANUARY|pm|SUN|00001|    1|    1|    Sunday|02023|23|01|%Q|x%y|01 January 2023|%3N|  1|12:00 PM|0000Sunday|  JAN|12|12|23|23|1672574401|%+|%+4Y|01/01/23|%i|%J|%:z|1|001"},
		{`2020-02-29T23:07:09`, `%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%k|%l|%m|%M|%n|%p|%P|%r|%R|%s|%S|%t|%T|%u|%U|%V|%w|%W|%x|%X|%y|%Y|%z|%Z|%f|%-d|%-m|%-H|%-I|%-M|%-S|%-j|%-y|%-U|%-V|%-W|%-e|%-k|%_d|%_m|%_H|%0e|%^a|%^B|%#p|%#a|%5d|%_5j|%-5d|%10A|%05Y|%Ey|%Od|%Q|x%%y|%d %B %Y|%3N|%_3S|%-I:%M %p|%010A|%^5b|%-k|%0k|%-y|%_y|%2s|%+|%+4Y|%Ex|%i|%J|%:z|%-U|%03U`, "Sat|Saturday|Feb|February|Sat Feb 29 23:07:09 2020|20|29|02/29/20|29|2020-02-29|20|2020|Feb|23|11|060|23|11|02|07|\n|PM|pm|11:07:09 PM|23:07|1583017629|09|\t|23:07:09|6|08|09|6|08|02/29/20|23:07:09|20|2020|||000000|29|2|23|11|7|9|60|20|8|9|8|29|23|29| 2|23|29|SAT|FEBRUARY|pm|SAT|00029|   60|   29|  Saturday|02020|20|29|%Q|x%y|29 February 2020|%3N|  9|11:07 PM|00Saturday|  FEB|23|23|20|20|1583017629|%+|%+4Y|02/29/20|%i|%J|%:z|8|008"},
		{`2026-01-04T00:30:00`, `%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%k|%l|%m|%M|%n|%p|%P|%r|%R|%s|%S|%t|%T|%u|%U|%V|%w|%W|%x|%X|%y|%Y|%z|%Z|%f|%-d|%-m|%-H|%-I|%-M|%-S|%-j|%-y|%-U|%-V|%-W|%-e|%-k|%_d|%_m|%_H|%0e|%^a|%^B|%#p|%#a|%5d|%_5j|%-5d|%10A|%05Y|%Ey|%Od|%Q|x%%y|%d %B %Y|%3N|%_3S|%-I:%M %p|%010A|%^5b|%-k|%0k|%-y|%_y|%2s|%+|%+4Y|%Ex|%i|%J|%:z|%-U|%03U`, "Sun|Sunday|Jan|January|Sun Jan  4 00:30:00 2026|20|04|01/04/26| 4|2026-01-04|26|2026|Jan|00|12|004| 0|12|01|30|\n|AM|am|12:30:00 AM|00:30|1767486600|00|\t|00:30:00|7|01|01|0|00|01/04/26|00:30:00|26|2026|||000000|4|1|0|12|30|0|4|26|1|1|0|4|0| 4| 1| 0|04|SUN|JANUARY|am|SUN|00004|    4|    4|    Sunday|02026|26|04|%Q|x%y|04 January 2026|%3N|  0|12:30 AM|0000Sunday|  JAN|0|00|26|26|1767486600|%+|%+4Y|01/04/26|%i|%J|%:z|1|001"},
		{`2000-12-31T11:00:00`, `%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%k|%l|%m|%M|%n|%p|%P|%r|%R|%s|%S|%t|%T|%u|%U|%V|%w|%W|%x|%X|%y|%Y|%z|%Z|%f|%-d|%-m|%-H|%-I|%-M|%-S|%-j|%-y|%-U|%-V|%-W|%-e|%-k|%_d|%_m|%_H|%0e|%^a|%^B|%#p|%#a|%5d|%_5j|%-5d|%10A|%05Y|%Ey|%Od|%Q|x%%y|%d %B %Y|%3N|%_3S|%-I:%M %p|%010A|%^5b|%-k|%0k|%-y|%_y|%2s|%+|%+4Y|%Ex|%i|%J|%:z|%-U|%03U`, "Sun|Sunday|Dec|December|Sun Dec 31 11:00:00 2000|20|31|12/31/00|31|2000-12-31|00|2000|Dec|11|11|366|11|11|12|00|\n|AM|am|11:00:00 AM|11:00|978260400|00|\t|11:00:00|7|53|52|0|52|12/31/00|11:00:00|00|2000|||000000|31|12|11|11|0|0|366|0|53|52|52|31|11|31|12|11|31|SUN|DECEMBER|am|SUN|00031|  366|   31|    Sunday|02000|00|31|%Q|x%y|31 December 2000|%3N|  0|11:00 AM|0000Sunday|  DEC|11|11|0| 0|978260400|%+|%+4Y|12/31/00|%i|%J|%:z|53|053"},
		{"2026-11-24T09:05:07", "a%", "a%"},
		{"2026-11-24T09:05:07", "%-", "%-"},
		{"2026-11-24T09:05:07", "%E", "%E"},
	} {
		at, err := time.Parse("2006-01-02T15:04:05", c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := strftime(at, c.format); got != c.want {
			t.Errorf("%s %s:\n got %q\nwant %q", c.at, c.format, got, c.want)
		}
	}
}
