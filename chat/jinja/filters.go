package jinja

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// This file owns the table of filters, and those of single values.

type filter func(e *evaluation, v Value, a *callArgs) Value

// filters is filled by init, since some refer to the table (map).
var filters map[string]filter

func init() {
	t := map[string]filter{
		"abs": filterAbs, "attr": filterAttr, "batch": filterBatch, "center": filterCenter,
		"default": filterDefault, "dictsort": filterDictSort, "escape": filterEscape, "first": filterFirst,
		"float": filterFloat, "forceescape": filterForceEscape, "format": filterFormat, "groupby": filterGroupBy,
		"indent": filterIndent, "int": filterInt, "items": filterItems, "join": filterJoin, "last": filterLast,
		"length": filterLength, "list": filterList, "map": filterMap, "max": filterMax, "min": filterMin, "random": filterRandom,
		"reject": filterReject, "rejectattr": filterRejectAttr, "replace": filterReplace, "reverse": filterReverse,
		"round": filterRound, "safe": filterSafe, "select": filterSelect, "selectattr": filterSelectAttr,
		"slice": filterSlice, "sort": filterSort, "string": filterString, "striptags": filterStripTags, "sum": filterSum,
		"tojson": filterToJSON, "trim": filterTrim, "truncate": filterTruncate, "unique": filterUnique,
		"urlencode": filterURLEncode, "urlize": filterURLize, "wordcount": filterWordCount, "wordwrap": filterWordWrap, "xmlattr": filterXMLAttr,
		"filesizeformat": filterFileSize, "pprint": func(e *evaluation, v Value, _ *callArgs) Value { return e.reprText(v).value() },
	}
	for _, n := range []string{"upper", "lower", "title", "capitalize"} {
		f := stringMapping[n]
		if n == "title" {
			f = filterTitle
		}
		t[n] = func(e *evaluation, v Value, _ *callArgs) Value { return e.cased(e.text(v), f).value() }
	}
	for n, s := range filterSignatures {
		f := t[n]
		t[n] = func(e *evaluation, v Value, a *callArgs) Value {
			e.checkArguments("the filter "+n, s, a)
			return f(e, v, a)
		}
	}
	t["e"], t["d"], t["count"] = t["escape"], t["default"], t["length"]
	filters = t
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
	switch v.(type) {
	case *namespace, *List:
		return e.attribute(v, n)
	}
	return missing(v, n)
}

func filterDefault(e *evaluation, v Value, a *callArgs) Value {
	_, missing := v.(*undefined)
	if missing || (truth(a.or(1, "boolean", false)) && !truth(v)) {
		return a.or(0, "default_value", "")
	}
	return v
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
		if prefix := map[int]string{16: "0x", 8: "0o", 2: "0b"}[base]; prefix != "" && strings.HasPrefix(strings.ToLower(s), prefix) {
			trimmed = s[len(prefix):]
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

func filterRound(e *evaluation, v Value, a *callArgs) Value {
	precision := e.toInt(a.or(0, "precision", int64(0)))
	method, _ := textOf(a.or(1, "method", "common"))
	f, ok := floatOf(v)
	if !ok {
		e.fail("type %s doesn't define round", typeName(v))
	}
	if !slices.Contains([]string{"common", "ceil", "floor"}, method) {
		e.fail("the method of round must be common, ceil or floor, not %q", method)
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
		rounded := math.RoundToEven(f/power) * power
		if n, ok := bigOf(v); ok && n.IsInt64() && math.Abs(rounded) < 1<<53 {
			return int64(rounded)
		}
		return rounded
	}
	if isInt(v) {
		return v
	}
	r, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', precision, 64), 64)
	return r
}
