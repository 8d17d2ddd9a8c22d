package jinja

import (
	"slices"
	"strconv"
	"strings"
)

// This file owns the filters of lists and mappings.

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

// folded is a sort key: text without case unless asked for.
func (e *evaluation) folded(v Value, caseSensitive bool) Value {
	e.read(v)
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
		return e.folded(part, sensitive)
	}
	return newList(e.sorted(e.items(d).Items, key, truth(a.or(2, "reverse", false))))
}

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
	key := func(item Value) Value { return e.folded(get(item), sensitive) }
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
		group := newTuple(get(item), newList([]Value{item}))
		group.fields = []string{"grouper", "list"}
		out.Items = append(out.Items, group)
	}
	return out
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
	sep := e.text(a.or(0, "d", ""))
	attribute, has := a.get(1, "attribute")
	var b builder
	for i, item := range e.iterate(v) {
		if has && attribute != nil {
			item = e.path(item, attribute)
		}
		if i > 0 {
			b.write(sep)
		}
		t := e.text(item)
		e.allocate(len(t.s) + len(sep.s))
		b.write(t)
	}
	return b.text().value()
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
	f, known, rest := filter(nil), true, &callArgs{}
	if !byAttribute {
		f, known = filters[e.wantText(a, 0)]
		rest = &callArgs{a.positional[1:], a.names, a.keywords}
	}
	for _, item := range e.iterate(v) {
		e.spend(1)
		e.allocate(16)
		if !known { // not before there is something to map, as in jinja2
			e.fail("%s", noFilter(e.wantText(a, 0)))
		}
		if f != nil {
			e.read(item)
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
		return e.folded(item, sensitive)
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
		rest := &callArgs{a.positional[at+1:], a.names, a.keywords}
		holds = func(item Value) bool {
			if !ok {
				e.fail("%s", noTest(n))
			}
			e.read(item)
			return t(e, item, rest)
		}
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

func filterReverse(e *evaluation, v Value, _ *callArgs) Value {
	items := slices.Clone(e.iterate(v))
	e.allocate(16 * len(items))
	slices.Reverse(items)
	if _, ok := textOf(v); ok {
		return e.joinStrings(text{}, items)
	}
	return newList(items)
}

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
			return e.folded(item, sensitive)
		}
		s, isText := textOf(attribute)
		if !isText || !strings.Contains(s, ",") {
			return e.folded(e.path(item, attribute), sensitive)
		}
		keys := newTuple()
		for part := range strings.SplitSeq(s, ",") {
			keys.Items = append(keys.Items, e.folded(e.path(item, part), sensitive))
		}
		return keys
	}
	return newList(e.sorted(e.iterate(v), key, truth(a.or(0, "reverse", false))))
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

func filterUnique(e *evaluation, v Value, a *callArgs) Value {
	sensitive, attribute := truth(a.or(0, "case_sensitive", false)), a.or(1, "attribute", nil)
	seen, out := map[any]bool{}, &List{}
	for _, item := range e.iterate(v) {
		key := item
		if attribute != nil {
			key = e.path(item, attribute)
		}
		h := hashKey(e.hashable(e.folded(key, sensitive)))
		if !seen[h] {
			seen[h] = true
			e.allocate(48)
			out.Items = append(out.Items, item)
		}
	}
	return out
}
