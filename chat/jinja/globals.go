package jinja

import "math/big"

// This file owns the global functions.

// maxRange is the sandbox's limit on range().
const maxRange = 100000

func globals() map[string]Value {
	g := map[string]Value{"self": function{"self", func(e *evaluation, _ *callArgs) Value { e.fail("self is not callable"); return nil }}}
	for n, f := range map[string]func(*evaluation, *callArgs) Value{
		"range": globalRange, "dict": globalDict, "namespace": globalNamespace, "joiner": globalJoiner, "cycler": globalCycler,
		"raise_exception": func(e *evaluation, a *callArgs) Value {
			e.fail("%s", e.str(a.or(0, "message", "")))
			return nil
		},
		"strftime_now": func(e *evaluation, a *callArgs) Value {
			format := strftime(e.options.Now(), e.wantText(a, 0))
			e.allocate(len(format))
			return e.text(a.positional[0]).spread(format).value()
		},
	} {
		g[n] = function{n, f}
	}
	return g
}

func globalRange(e *evaluation, a *callArgs) Value {
	start, stop, step := big.NewInt(0), big.NewInt(0), big.NewInt(1)
	bounds := []*big.Int{start, stop, step}
	if len(a.positional) == 1 {
		bounds = bounds[1:]
	}
	if len(a.positional) < 1 || len(a.positional) > 3 {
		e.fail("range expects 1 to 3 arguments")
	}
	for i, v := range a.positional {
		n, ok := bigOf(v)
		if !ok {
			e.fail("%s object cannot be interpreted as an integer", typeName(v))
		}
		bounds[i].Set(n)
	}
	if step.Sign() == 0 {
		e.fail("range() arg 3 must not be zero")
	}
	length := new(big.Int).Sub(stop, start)
	length.Add(length, step).Sub(length, big.NewInt(int64(step.Sign())))
	length.Quo(length, step)
	if length.Sign() > 0 && (!length.IsInt64() || length.Int64() > maxRange) {
		e.fail("range too big: more than %d items", maxRange)
	}
	out := &List{printed: "range(" + start.String() + ", " + stop.String() + ")"}
	if !step.IsInt64() || step.Int64() != 1 {
		out.printed = "range(" + start.String() + ", " + stop.String() + ", " + step.String() + ")"
	}
	for i, at := int64(0), start; i < length.Int64(); i++ {
		out.Items = append(out.Items, shrink(new(big.Int).Set(at)))
		at.Add(at, step)
	}
	e.allocate(16 * len(out.Items))
	return out
}

func globalDict(e *evaluation, a *callArgs) Value {
	d := NewDict()
	if v, ok := a.get(0, ""); ok {
		switch x := v.(type) {
		case *Dict:
			d = x.Copy()
		default:
			for _, pair := range e.iterate(v) {
				items := e.iterate(pair)
				if len(items) != 2 {
					e.fail("dict needs pairs")
				}
				d.Set(e.hashable(items[0]), items[1])
			}
		}
	}
	for i, n := range a.names {
		d.Set(n, a.keywords[i])
	}
	e.allocate(32 * len(d.keys))
	return d
}

func globalNamespace(e *evaluation, a *callArgs) Value { return &namespace{globalDict(e, a).(*Dict)} }

// globalJoiner gives nothing the first time and the separator from then on.
func globalJoiner(e *evaluation, a *callArgs) Value {
	sep, used := a.or(0, "sep", ", "), false
	return function{"joiner", func(*evaluation, *callArgs) Value {
		if !used {
			used = true
			return ""
		}
		return sep
	}}
}

func globalCycler(e *evaluation, a *callArgs) Value {
	if len(a.positional) == 0 {
		e.fail("at least one item has to be provided")
	}
	at, vars := 0, NewDict()
	vars.Set("current", a.positional[0])
	set := func(i int) { at = i; vars.Set("current", a.positional[i]) }
	vars.Set("next", function{"next", func(*evaluation, *callArgs) Value {
		v := a.positional[at]
		set((at + 1) % len(a.positional))
		return v
	}})
	vars.Set("reset", function{"reset", func(*evaluation, *callArgs) Value { set(0); return nil }})
	return &namespace{vars}
}
