package jinja

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file owns the filters that no chat template has needed yet: urlize, which makes links of addresses, and random.

// What urlize takes for an address, in text that is escaped.
var (
	webAddress = regexp.MustCompile(`(?i)^(?:(?:https?://|www\.)(?:[\pL\pN_%-]+\.)*(?:[a-z]{2,63}|xn--[\pL\pN_%]{2,59})` +
		`|(?:[\pL\pN_%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)` +
		`|https?://(?:\d{1,3}(?:\.\d{1,3}){3}|\[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\]))(?::\d{1,5})?(?:[/?#]\S*)?$`)
	mailAddress = regexp.MustCompile(`^\S+@[\pL\pN_][\pL\pN_.-]*\.[\pL\pN_]+$`)
	uriScheme   = regexp.MustCompile(`^(?:[\w.+-]{2,}:(?:/){0,2})$`)
	before      = regexp.MustCompile(`^(?:[(<]|&lt;)+`)
	behind      = regexp.MustCompile(`(?:[)>.,\n]|&gt;)+$`)
)

// linker makes links with one filter's arguments.
type linker struct {
	attributes string // of an address of the web
	limit      int    // of characters that are shown; below 0: none
	schemes    []string
}

func filterURLize(e *evaluation, v Value, a *callArgs) Value {
	l := linker{limit: -1}
	if n := a.or(0, "trim_url_limit", nil); n != nil {
		l.limit = max(e.toInt(n), 0)
	}
	rel := append(strings.Fields(e.strOr(a, 3, "rel")), "noopener") // Jinja's policy
	if truth(a.or(1, "nofollow", false)) {
		rel = append(rel, "nofollow")
	}
	slices.Sort(rel)
	l.attributes = ` rel="` + e.escape(strings.Join(slices.Compact(rel), " ")).s + `"`
	if target := e.strOr(a, 2, "target"); target != "" {
		l.attributes += ` target="` + e.escape(target).s + `"`
	}
	if schemes := a.or(4, "extra_schemes", nil); schemes != nil {
		for _, scheme := range e.iterate(schemes) {
			if !uriScheme.MatchString(e.str(scheme)) {
				e.fail("%q is not a valid URI scheme prefix", e.str(scheme))
			}
			l.schemes = append(l.schemes, e.str(scheme))
		}
	}
	escaped := e.escape(v)
	var b builder
	for rest := escaped; rest.s != ""; {
		n := strings.IndexFunc(rest.s, unicode.IsSpace)
		if n < 0 {
			n = len(rest.s)
		}
		linked := l.word(rest.slice(0, n))
		e.allocate(len(linked.s))
		_, space := utf8.DecodeRuneInString(rest.s[n:])
		b.write(linked, rest.slice(n, n+space))
		rest = rest.slice(n+space, len(rest.s))
	}
	return e.markup(b.text())
}

// strOr is an argument's text, "" if it is absent or None.
func (e *evaluation) strOr(a *callArgs, i int, n string) string {
	if v := a.or(i, n, nil); v != nil {
		return e.str(v)
	}
	return ""
}

// word links a word without the punctuation around it.
func (l linker) word(t text) text {
	begin := len(before.FindString(t.s))
	end := len(t.s) - len(behind.FindString(t.s[begin:]))
	// What closes a bracket inside is part of the address, with all before it.
	for _, pair := range [][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		inside := t.s[begin:end]
		opened := strings.Count(inside, pair[0])
		if opened <= strings.Count(inside, pair[1]) {
			continue
		}
		for range min(opened, strings.Count(t.s[end:], pair[1])) {
			end += strings.Index(t.s[end:], pair[1]) + len(pair[1])
		}
	}
	return joined(t.slice(0, begin), l.link(t.slice(begin, end)), t.slice(end, len(t.s)))
}

func (l linker) link(t text) text {
	open := func(scheme, attributes string, shown text) text {
		return joined(text{s: `<a href="` + scheme}, t, text{s: `"` + attributes + `>`}, shown, text{s: "</a>"})
	}
	switch {
	case webAddress.MatchString(t.s):
		shown := t
		if l.limit >= 0 && utf8.RuneCountInString(t.s) > l.limit {
			shown = joined(t.first(l.limit), text{s: "..."})
		}
		if strings.HasPrefix(t.s, "https://") || strings.HasPrefix(t.s, "http://") {
			return open("", l.attributes, shown)
		}
		return open("https://", l.attributes, shown)
	case strings.HasPrefix(t.s, "mailto:") && mailAddress.MatchString(t.s[len("mailto:"):]):
		return open("", "", t.slice(len("mailto:"), len(t.s)))
	case !strings.HasPrefix(t.s, "www.") && !strings.HasPrefix(t.s, "@") && !strings.Contains(t.s, ":") && mailAddress.MatchString(t.s):
		return open("mailto:", "", t)
	}
	for _, scheme := range l.schemes {
		if t.s != scheme && strings.HasPrefix(t.s, scheme) {
			return open("", l.attributes, t)
		}
	}
	return t
}

func filterRandom(e *evaluation, v Value, _ *callArgs) Value {
	if items := e.iterate(v); len(items) > 0 {
		return items[rand.IntN(len(items))]
	}
	return &undefined{"No random item, sequence was empty."}
}
