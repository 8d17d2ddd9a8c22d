package jinja

import (
	"cmp"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// This file owns the filters.

type filter func(e *evaluation, v Value, a *callArgs) Value

// filters is filled by init, since some refer to the table (map).
var filters map[string]filter

func init() {
	t := map[string]filter{
		"abs": filterAbs, "attr": filterAttr, "batch": filterBatch, "center": filterCenter,
		"default": filterDefault, "dictsort": filterDictSort, "escape": filterEscape, "first": filterFirst,
		"float": filterFloat, "forceescape": filterForceEscape, "format": filterFormat, "groupby": filterGroupBy,
		"indent": filterIndent, "int": filterInt, "items": filterItems, "join": filterJoin, "last": filterLast,
		"length": filterLength, "list": filterList, "map": filterMap, "max": filterMax, "min": filterMin,
		"reject": filterReject, "rejectattr": filterRejectAttr, "replace": filterReplace, "reverse": filterReverse,
		"round": filterRound, "safe": filterSafe, "select": filterSelect, "selectattr": filterSelectAttr,
		"slice": filterSlice, "sort": filterSort, "string": filterString, "striptags": filterStripTags, "sum": filterSum,
		"tojson": filterToJSON, "trim": filterTrim, "truncate": filterTruncate, "unique": filterUnique,
		"urlencode": filterURLEncode, "wordcount": filterWordCount, "wordwrap": filterWordWrap, "xmlattr": filterXMLAttr,
		"filesizeformat": filterFileSize, "pprint": func(e *evaluation, v Value, _ *callArgs) Value { return e.reprString(v) },
	}
	for _, n := range []string{"upper", "lower", "title", "capitalize"} {
		f := stringMapping[n]
		if n == "title" {
			f = filterTitle
		}
		t[n] = func(e *evaluation, v Value, _ *callArgs) Value { return e.mapText(v, f) }
	}
	t["e"], t["d"], t["count"] = t["escape"], t["default"], t["length"]
	filters = t
}

// mapText applies a string function, keeping markup what it is.
func (e *evaluation) mapText(v Value, f func(string) string) Value {
	text := e.str(v)
	e.allocate(len(text))
	if _, ok := v.(safe); ok {
		return safe(f(text))
	}
	return f(text)
}

// filterTitle capitalises after spaces, hyphens and brackets.
func filterTitle(s string) string {
	start := true
	return strings.Map(func(r rune) rune {
		up := start
		start = strings.ContainsRune("-([{<", r) || strings.TrimSpace(string(r)) == ""
		if up {
			return []rune(strings.ToUpper(string(r)))[0]
		}
		return []rune(strings.ToLower(string(r)))[0]
	}, s)
}

func filterAbs(e *evaluation, v Value, _ *callArgs) Value {
	if n, ok := bigOf(v); ok {
		return shrink(new(big.Int).Abs(n))
	}
	if f, ok := v.(float64); ok {
		return math.Abs(f)
	}
	e.fail("bad operand type for abs(): %s", typeName(v))
	return nil
}

// filterAttr is attribute access alone: dict keys are not found by it.
func filterAttr(e *evaluation, v Value, a *callArgs) Value {
	n := e.wantText(a, 0)
	if m, ok := e.method(v, n); ok {
		return m
	}
	if ns, ok := v.(*namespace); ok {
		return e.attribute(ns, n)
	}
	return missing(v, n)
}

func filterBatch(e *evaluation, v Value, a *callArgs) Value {
	n := e.wantInt(a, 0)
	if n < 1 {
		e.fail("batch needs a positive number")
	}
	fill := a.or(1, "fill_with", nil)
	out := &List{}
	for chunk := range slices.Chunk(e.iterate(v), n) {
		row := &List{Items: slices.Clone(chunk)}
		for fill != nil && len(row.Items) < n {
			e.allocate(16)
			row.Items = append(row.Items, fill)
		}
		out.Items = append(out.Items, row)
	}
	return out
}

func filterCenter(e *evaluation, v Value, a *callArgs) Value {
	return e.justify(e.str(v), &callArgs{positional: []Value{a.or(0, "width", int64(80))}}, 1)
}

func filterDefault(e *evaluation, v Value, a *callArgs) Value {
	_, missing := v.(*undefined)
	if missing || (truth(a.or(1, "boolean", false)) && !truth(v)) {
		return a.or(0, "default_value", "")
	}
	return v
}

// folded is a sort key: text without case unless asked for.
func folded(v Value, caseSensitive bool) Value {
	if s, ok := textOf(v); ok && !caseSensitive {
		return strings.ToLower(s)
	}
	return v
}

// sorted sorts by key, stably.
func (e *evaluation) sorted(items []Value, key func(Value) Value, reverse bool) []Value {
	e.allocate(32 * len(items))
	out := slices.Clone(items)
	slices.SortStableFunc(out, func(x, y Value) int {
		a, b := key(x), key(y)
		if reverse {
			a, b = b, a
		}
		switch {
		case e.less(a, b):
			return -1
		case e.less(b, a):
			return 1
		}
		return 0
	})
	return out
}

func filterDictSort(e *evaluation, v Value, a *callArgs) Value {
	d, ok := v.(*Dict)
	if !ok {
		e.fail("dictsort needs a mapping, not %s", typeName(v))
	}
	by := int64(0)
	if s, _ := textOf(a.or(1, "by", "key")); s == "value" {
		by = 1
	}
	sensitive := truth(a.or(0, "case_sensitive", false))
	key := func(item Value) Value {
		part, _ := e.at(item, by)
		return folded(part, sensitive)
	}
	return newList(e.sorted(e.items(d).Items, key, truth(a.or(2, "reverse", false))))
}

func filterEscape(e *evaluation, v Value, _ *callArgs) Value { return e.escape(v) }

func filterForceEscape(e *evaluation, v Value, _ *callArgs) Value { return e.escape(e.str(v)) }

func filterFirst(e *evaluation, v Value, _ *callArgs) Value {
	if items := e.iterate(v); len(items) > 0 {
		return items[0]
	}
	return &undefined{"No first item, sequence was empty."}
}

func filterLast(e *evaluation, v Value, _ *callArgs) Value {
	if items := e.iterate(v); len(items) > 0 {
		return items[len(items)-1]
	}
	return &undefined{"No last item, sequence was empty."}
}

func filterFloat(_ *evaluation, v Value, a *callArgs) Value {
	if f, ok := floatOf(v); ok {
		return f
	}
	if s, ok := textOf(v); ok {
		if f, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(s), "_", ""), 64); err == nil {
			return f
		}
	}
	return a.or(0, "default", 0.0)
}

func filterInt(_ *evaluation, v Value, a *callArgs) Value {
	otherwise := a.or(0, "default", int64(0))
	base := 10
	if n, ok := a.or(1, "base", int64(10)).(int64); ok && n >= 2 && n <= 36 {
		base = int(n)
	}
	if n, ok := bigOf(v); ok {
		return shrink(n)
	}
	f, isFloat := v.(float64)
	if s, ok := textOf(v); ok && len(s) < 2000 {
		s = strings.TrimSpace(s)
		trimmed := s
		if base == 16 {
			trimmed = strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
		}
		if n, ok := new(big.Int).SetString(strings.ReplaceAll(trimmed, "_", ""), base); ok {
			return shrink(n)
		}
		parsed, err := strconv.ParseFloat(s, 64)
		f, isFloat = parsed, err == nil
	}
	if !isFloat || math.IsNaN(f) || math.IsInf(f, 0) {
		return otherwise
	}
	n, _ := big.NewFloat(math.Trunc(f)).Int(nil)
	return shrink(n)
}

func filterFormat(e *evaluation, v Value, a *callArgs) Value {
	if len(a.names) > 0 {
		d := NewDict()
		for i, n := range a.names {
			d.Set(n, a.keywords[i])
		}
		return e.percent(e.str(v), d)
	}
	return e.percent(e.str(v), newTuple(a.positional...))
}

func filterGroupBy(e *evaluation, v Value, a *callArgs) Value {
	otherwise, hasDefault := a.get(1, "default")
	get := func(item Value) Value {
		value := e.path(item, a.or(0, "attribute", nil))
		if _, missing := value.(*undefined); missing && hasDefault {
			return otherwise
		}
		return value
	}
	sensitive := truth(a.or(2, "case_sensitive", false))
	key := func(item Value) Value { return folded(get(item), sensitive) }
	out := &List{}
	for _, item := range e.sorted(e.iterate(v), key, false) {
		if n := len(out.Items); n > 0 {
			group := out.Items[n-1].(*List)
			members := group.Items[1].(*List)
			if e.equal(key(members.Items[0]), key(item)) {
				members.Items = append(members.Items, item)
				continue
			}
		}
		out.Items = append(out.Items, newTuple(get(item), newList([]Value{item})))
	}
	return out
}

func filterIndent(e *evaluation, v Value, a *callArgs) Value {
	by := ""
	if s, ok := textOf(a.or(0, "width", int64(4))); ok {
		by = s
	} else {
		by = e.pad(e.toInt(a.or(0, "width", int64(4))))
	}
	text := e.str(v)
	first, blank := truth(a.or(1, "first", false)), truth(a.or(2, "blank", false))
	lines := strings.Split(text, "\n")
	if len(lines)*len(by) > maxMemory {
		e.fail("the template takes too much memory")
	}
	e.allocate(len(text) + len(lines)*len(by))
	for i := range lines {
		if (i > 0 || first) && (i == 0 || blank || lines[i] != "") {
			lines[i] = by + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

func filterItems(e *evaluation, v Value, _ *callArgs) Value {
	switch d := v.(type) {
	case *undefined:
		return newList(nil)
	case *Dict:
		return e.items(d)
	}
	e.fail("Can only get item pairs from a mapping.")
	return nil
}

func filterJoin(e *evaluation, v Value, a *callArgs) Value {
	sep := e.str(a.or(0, "d", ""))
	attribute, has := a.get(1, "attribute")
	var b strings.Builder
	for i, item := range e.iterate(v) {
		if has && attribute != nil {
			item = e.path(item, attribute)
		}
		if i > 0 {
			b.WriteString(sep)
		}
		text := e.str(item)
		e.allocate(len(text) + len(sep))
		b.WriteString(text)
	}
	return b.String()
}

func filterLength(e *evaluation, v Value, _ *callArgs) Value { return int64(e.length(v)) }

func filterList(e *evaluation, v Value, _ *callArgs) Value {
	items := e.iterate(v)
	e.allocate(16 * len(items))
	return newList(slices.Clone(items))
}

// path follows "a.b.0".
func (e *evaluation) path(v, attribute Value) Value {
	s, ok := textOf(attribute)
	if !ok {
		return e.item(v, attribute)
	}
	for step := range strings.SplitSeq(s, ".") {
		if n, err := strconv.ParseInt(step, 10, 64); err == nil {
			v = e.item(v, n)
		} else {
			v = e.item(v, step)
		}
	}
	return v
}

func filterMap(e *evaluation, v Value, a *callArgs) Value {
	out := &List{}
	attribute, byAttribute := a.keyword("attribute")
	otherwise, hasDefault := a.keyword("default")
	f, rest := filter(nil), &callArgs{}
	if !byAttribute {
		var ok bool
		if f, ok = filters[e.wantText(a, 0)]; !ok {
			e.fail("no filter named %q", e.wantText(a, 0))
		}
		rest = &callArgs{a.positional[1:], a.names, a.keywords}
	}
	for _, item := range e.iterate(v) {
		e.spend(1)
		e.allocate(16)
		if f != nil {
			out.Items = append(out.Items, f(e, item, rest))
			continue
		}
		value := e.path(item, attribute)
		if _, missing := value.(*undefined); missing && hasDefault {
			value = otherwise
		}
		out.Items = append(out.Items, value)
	}
	return out
}

// extreme is the smallest or largest item.
func (e *evaluation) extreme(v Value, a *callArgs, better func(a, b Value) bool) Value {
	sensitive := truth(a.or(0, "case_sensitive", false))
	attribute := a.or(1, "attribute", nil)
	key := func(item Value) Value {
		if attribute != nil {
			item = e.path(item, attribute)
		}
		return folded(item, sensitive)
	}
	items := e.iterate(v)
	if len(items) == 0 {
		return &undefined{"No aggregated item, sequence was empty."}
	}
	best := items[0]
	for _, item := range items[1:] {
		if better(key(item), key(best)) {
			best = item
		}
	}
	return best
}

func filterMax(e *evaluation, v Value, a *callArgs) Value {
	return e.extreme(v, a, func(x, y Value) bool { return e.less(y, x) })
}

func filterMin(e *evaluation, v Value, a *callArgs) Value { return e.extreme(v, a, e.less) }

// chosen keeps the items for which the test named by the arguments is want; skip is how many arguments
// come before its name.
func (e *evaluation) chosen(v Value, a *callArgs, byAttribute, want bool) Value {
	at := 0
	var attribute Value
	if byAttribute {
		if len(a.positional) == 0 {
			e.fail("the attribute is missing")
		}
		attribute, at = a.positional[0], 1
	}
	holds := func(item Value) bool { return truth(item) }
	if len(a.positional) > at {
		n, _ := textOf(a.positional[at])
		t, ok := tests[n]
		if !ok {
			e.fail("no test named %q", n)
		}
		rest := &callArgs{a.positional[at+1:], a.names, a.keywords}
		holds = func(item Value) bool { return t(e, item, rest) }
	}
	out := &List{}
	for _, item := range e.iterate(v) {
		e.spend(1)
		x := item
		if byAttribute {
			x = e.path(item, attribute)
		}
		if holds(x) == want {
			e.allocate(16)
			out.Items = append(out.Items, item)
		}
	}
	return out
}

func filterSelect(e *evaluation, v Value, a *callArgs) Value { return e.chosen(v, a, false, true) }

func filterReject(e *evaluation, v Value, a *callArgs) Value { return e.chosen(v, a, false, false) }

func filterSelectAttr(e *evaluation, v Value, a *callArgs) Value { return e.chosen(v, a, true, true) }

func filterRejectAttr(e *evaluation, v Value, a *callArgs) Value { return e.chosen(v, a, true, false) }

func filterReplace(e *evaluation, v Value, a *callArgs) Value {
	count := -1
	if n, ok := a.get(2, "count"); ok && n != nil {
		count = e.toInt(n)
	}
	old, _ := a.get(0, "old")
	with, _ := a.get(1, "new")
	return e.replaceText(e.str(v), e.str(old), e.str(with), count)
}

func filterReverse(e *evaluation, v Value, _ *callArgs) Value {
	items := slices.Clone(e.iterate(v))
	e.allocate(16 * len(items))
	slices.Reverse(items)
	if _, ok := textOf(v); ok {
		return e.joinStrings("", items)
	}
	return newList(items)
}

func filterRound(e *evaluation, v Value, a *callArgs) Value {
	precision := e.toInt(a.or(0, "precision", int64(0)))
	method, _ := textOf(a.or(1, "method", "common"))
	f, ok := floatOf(v)
	if !ok {
		e.fail("type %s doesn't define round", typeName(v))
	}
	precision = min(max(precision, -300), 300)
	switch power := math.Pow(10, float64(precision)); method {
	case "ceil":
		return math.Ceil(f*power) / power
	case "floor":
		return math.Floor(f*power) / power
	}
	if precision < 0 {
		power := math.Pow(10, float64(-precision))
		return math.RoundToEven(f/power) * power
	}
	if isInt(v) {
		return v
	}
	r, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', precision, 64), 64)
	return r
}

func filterSafe(e *evaluation, v Value, _ *callArgs) Value { return safe(e.str(v)) }

func filterSlice(e *evaluation, v Value, a *callArgs) Value {
	items, n := e.iterate(v), e.wantInt(a, 0)
	if n < 1 {
		e.fail("slice needs a positive number")
	}
	e.allocate(16 * min(n, maxMemory))
	fill, filled := a.get(1, "fill_with")
	per, extra, at := len(items)/n, len(items)%n, 0
	out := &List{}
	for i := range n {
		size := per
		if i < extra {
			size++
		}
		row := &List{Items: slices.Clone(items[at : at+size])}
		at += size
		if filled && fill != nil && i >= extra && extra > 0 {
			row.Items = append(row.Items, fill)
		}
		out.Items = append(out.Items, row)
	}
	return out
}

func filterSort(e *evaluation, v Value, a *callArgs) Value {
	sensitive, attribute := truth(a.or(1, "case_sensitive", false)), a.or(2, "attribute", nil)
	key := func(item Value) Value {
		if attribute == nil {
			return folded(item, sensitive)
		}
		s, isText := textOf(attribute)
		if !isText || !strings.Contains(s, ",") {
			return folded(e.path(item, attribute), sensitive)
		}
		keys := newTuple()
		for part := range strings.SplitSeq(s, ",") {
			keys.Items = append(keys.Items, folded(e.path(item, part), sensitive))
		}
		return keys
	}
	return newList(e.sorted(e.iterate(v), key, truth(a.or(0, "reverse", false))))
}

func filterString(e *evaluation, v Value, _ *callArgs) Value {
	if s, ok := v.(safe); ok {
		return s
	}
	return e.str(v)
}

func filterStripTags(e *evaluation, v Value, _ *callArgs) Value {
	var b strings.Builder
	inside := false
	for _, r := range e.str(v) {
		switch {
		case r == '<':
			inside = true
		case r == '>' && inside:
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func filterSum(e *evaluation, v Value, a *callArgs) Value {
	total := a.or(1, "start", Value(int64(0)))
	for _, item := range e.iterate(v) {
		if attribute, ok := a.get(0, "attribute"); ok && attribute != nil {
			item = e.path(item, attribute)
		}
		total = e.arithmetic("+", total, e.defined(item))
	}
	return total
}

func filterTrim(e *evaluation, v Value, a *callArgs) Value {
	text := e.strip(e.str(v), a.or(0, "chars", nil), true, true)
	if _, ok := v.(safe); ok {
		return safe(text.(string))
	}
	return text
}

func filterTruncate(e *evaluation, v Value, a *callArgs) Value {
	s, length := e.str(v), e.toInt(a.or(0, "length", int64(255)))
	kill, end := truth(a.or(1, "killwords", false)), e.str(a.or(2, "end", "..."))
	leeway := e.toInt(a.or(3, "leeway", int64(5)))
	if utf8.RuneCountInString(s) <= length+leeway {
		return s
	}
	cut := firstRunes(s, max(length-utf8.RuneCountInString(end), 0))
	if !kill {
		if i := strings.LastIndexByte(cut, ' '); i >= 0 {
			cut = cut[:i]
		}
	}
	return cut + end
}

func filterUnique(e *evaluation, v Value, a *callArgs) Value {
	sensitive, attribute := truth(a.or(0, "case_sensitive", false)), a.or(1, "attribute", nil)
	seen, out := map[any]bool{}, &List{}
	for _, item := range e.iterate(v) {
		key := item
		if attribute != nil {
			key = e.path(item, attribute)
		}
		h := hashKey(e.hashable(folded(key, sensitive)))
		if !seen[h] {
			seen[h] = true
			e.allocate(48)
			out.Items = append(out.Items, item)
		}
	}
	return out
}

func filterURLEncode(e *evaluation, v Value, _ *callArgs) Value {
	if d, ok := v.(*Dict); ok {
		var pairs []string
		for _, k := range d.keys {
			value, _ := d.Get(k)
			pairs = append(pairs, e.percentEncode(e.str(k), "")+"="+e.percentEncode(e.str(value), ""))
		}
		return strings.Join(pairs, "&")
	}
	return e.percentEncode(e.str(v), "/")
}

func (e *evaluation) percentEncode(s, keep string) string {
	e.allocate(3 * len(s))
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < utf8.RuneSelf && (strings.IndexByte("_.-~"+keep, c) >= 0 || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + strings.ToUpper(strconv.FormatInt(int64(c)+256, 16)[1:]))
		}
	}
	return b.String()
}

func filterWordCount(e *evaluation, v Value, _ *callArgs) Value {
	return int64(len(strings.FieldsFunc(e.str(v), func(r rune) bool {
		return r != '_' && !(r >= '0' && r <= '9') && strings.ToUpper(string(r)) == strings.ToLower(string(r)) && r < 0x2e80
	})))
}

func filterWordWrap(e *evaluation, v Value, a *callArgs) Value {
	width := max(e.toInt(a.or(0, "width", int64(79))), 1)
	var lines []string
	for line := range strings.SplitSeq(e.str(v), "\n") {
		current := ""
		for _, word := range strings.Fields(line) {
			for n := width; utf8.RuneCountInString(word) > n; {
				if current != "" {
					lines, current = append(lines, current), ""
				}
				head := firstRunes(word, n)
				lines, word = append(lines, head), word[len(head):]
			}
			switch {
			case current == "":
				current = word
			case utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) <= width:
				current += " " + word
			default:
				lines, current = append(lines, current), word
			}
		}
		lines = append(lines, current)
	}
	return strings.Join(lines, "\n")
}

func filterXMLAttr(e *evaluation, v Value, a *callArgs) Value {
	d, ok := v.(*Dict)
	if !ok {
		e.fail("xmlattr needs a mapping")
	}
	var parts []string
	for _, k := range d.keys {
		value, _ := d.Get(k)
		if _, missing := value.(*undefined); value == nil || missing {
			continue
		}
		if strings.ContainsAny(e.str(k), " \t\n\f\r/>=") {
			e.fail("invalid character in attribute name: %q", e.str(k))
		}
		parts = append(parts, string(e.escape(k))+`="`+string(e.escape(value))+`"`)
	}
	out := strings.Join(parts, " ")
	if out != "" && truth(a.or(0, "autospace", true)) {
		out = " " + out
	}
	return safe(out)
}

func filterFileSize(e *evaluation, v Value, a *callArgs) Value {
	bytes, ok := floatOf(v)
	if !ok {
		e.fail("filesizeformat needs a number")
	}
	base, units := 1000.0, []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if truth(a.or(0, "binary", false)) {
		base, units = 1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	if cmp.Compare(bytes, base) < 0 {
		if bytes == 1 {
			return "1 Byte"
		}
		return strconv.FormatInt(int64(bytes), 10) + " Bytes"
	}
	i := 0
	for bytes /= base; bytes >= base && i < len(units)-1; i++ {
		bytes /= base
	}
	return strconv.FormatFloat(bytes, 'f', 1, 64) + " " + units[i]
}
