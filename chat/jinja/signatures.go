package jinja

import (
	"slices"
	"strings"
)

// This file owns which arguments filters, tests and methods take. Jinja's are functions of Python: one argument that is missing, unknown
// or too many is an error, where a lenient reading would write something else.

// signature lists parameters in order; required is how many of them have no default.
type signature struct {
	params   []string
	required int
}

// filterSignatures are a filter a line, its parameters with ? behind those that have a default. Those that are not listed take any:
// format, map and their like pass them on, tojson has those of Hugging Face's besides.
var filterSignatures = parseSignatures(`
abs
attr name
batch linecount fill_with?
capitalize
center width?
default default_value? boolean?
dictsort case_sensitive? by? reverse?
escape
filesizeformat binary?
first
float default?
forceescape
groupby attribute default? case_sensitive?
indent width? first? blank?
int default? base?
items
join d? attribute?
last
length
list
lower
max case_sensitive? attribute?
min case_sensitive? attribute?
pprint
random
replace old new count?
reverse
round precision? method?
safe
slice slices fill_with?
sort reverse? case_sensitive? attribute?
string
striptags
sum attribute? start?
title
trim chars?
truncate length? killwords? end? leeway?
unique case_sensitive? attribute?
upper
urlencode
urlize trim_url_limit? nofollow? target? rel? extra_schemes?
wordcount
wordwrap width? break_long_words? wrapstring? break_on_hyphens?
xmlattr autospace?
`)

var testSignatures = parseSignatures(`
boolean
callable
defined
divisibleby num
eq b
escaped
even
false
filter
float
ge b
gt b
in seq
integer
iterable
le b
lower
lt b
mapping
ne b
none
number
odd
sameas other
sequence
string
test
true
undefined
upper
`)

// methodSignatures are those of strings, lists and dicts together: methods of one name take the same number. Those that would
// change their object refuse all alike.
var methodSignatures = parseSignatures(`
capitalize
casefold
center width fillchar?
copy
count sub start? end?
endswith suffix start? end?
expandtabs tabsize?
find sub start? end?
get key default?
index sub start? end?
isalnum
isalpha
isdecimal
isdigit
islower
isnumeric
isspace
istitle
isupper
items
join iterable
keys
ljust width fillchar?
lower
lstrip chars?
partition sep
removeprefix prefix
removesuffix suffix
replace old new count?
rfind sub start? end?
rindex sub start? end?
rjust width fillchar?
rpartition sep
rsplit sep? maxsplit?
rstrip chars?
split sep? maxsplit?
splitlines keepends?
startswith prefix start? end?
strip chars?
swapcase
title
upper
values
zfill width
`)

func parseSignatures(table string) map[string]signature {
	signatures := map[string]signature{}
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var s signature
		for _, param := range words[1:] {
			bare, optional := strings.CutSuffix(param, "?")
			s.params = append(s.params, bare)
			if !optional {
				s.required++
			}
		}
		signatures[words[0]] = s
	}
	return signatures
}

// checkArguments refuses arguments that a filter, test or method does not take.
func (e *evaluation) checkArguments(what string, s signature, a *callArgs) {
	if n := len(a.positional); n > len(s.params) {
		e.fail("%s takes at most %d arguments, it has %d", what, len(s.params), n)
	}
	for _, n := range a.names {
		switch at := slices.Index(s.params, n); {
		case at < 0:
			e.fail("%s has no argument %q", what, n)
		case at < len(a.positional):
			e.fail("%s has two values for its argument %q", what, n)
		}
	}
	for i, param := range s.params[:s.required] {
		if _, given := a.get(i, param); !given {
			e.fail("%s lacks its argument %q", what, param)
		}
	}
}
