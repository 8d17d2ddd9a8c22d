package api

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// This file owns what becomes of fields that clients of other servers send and this one does not act on; foreign.go lists them.
// What it acts on are the members of the requests' types; a name that is one of an endpoint never comes here from it, but may
// from another.

// foreign is a field by its meaning here.
type foreign struct {
	// nothing are the values that ask for nothing, as JSON: what its server documents as the default. null, "", [], {} and
	// false always are, unless exact says that they mean something.
	nothing []string
	exact   bool
	// use names the field of this server that does what it would.
	use string
	// any: no value changes what is answered, or it does so only by way of another field, which is refused where it asks.
	any bool
}

var (
	unsupported = foreign{}
	changesNone = foreign{any: true}
	onlyDefault = func(values ...string) foreign { return foreign{nothing: values} }
	onlyExactly = func(values ...string) foreign { return foreign{nothing: append(values, "null"), exact: true} }
	insteadOf   = func(use string, nothing ...string) foreign { return foreign{use: use, nothing: nothing} }
	// noneBut is insteadOf where false and empty values ask for something.
	noneBut = func(use string, nothing ...string) foreign {
		return foreign{use: use, nothing: append(nothing, "null"), exact: true}
	}
)

// checkForeign refuses what would have to be passed over. prefix is where the fields stand, "" or "messages[0].".
func checkForeign(prefix string, others map[string]jsontext.Value, table map[string]foreign) error {
	var wrong []string
	for name, value := range others {
		if f, known := table[name]; known && !f.asksNothing(value) {
			wrong = append(wrong, name)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	first := slices.Min(wrong) // the same one each time
	return table[first].refuse(prefix + first)
}

func (f foreign) refuse(field string) error {
	if f.use != "" {
		return badField(field, "it is not supported; use %s", f.use)
	}
	return badField(field, "it is not supported; leave it out")
}

// checkMessageFields holds the members of messages, and of the parts of their content, to messageFields. Nothing is copied: a
// message may be as large as the body.
func checkMessageFields(messages jsontext.Value) error {
	return checkObjects(jsontext.NewDecoder(bytes.NewBuffer(messages), jsontext.AllowDuplicateNames(true)))
}

// checkObjects takes the next value, a list of messages or of parts.
func checkObjects(d *jsontext.Decoder) error {
	_, err := d.ReadToken()
	for err == nil && d.PeekKind() != ']' {
		if d.PeekKind() == '{' {
			err = checkMembers(d)
		} else {
			err = d.SkipValue()
		}
	}
	if err == nil {
		_, err = d.ReadToken()
	}
	return err
}

// checkMembers takes the next value, a message or a part.
func checkMembers(d *jsontext.Decoder) error {
	_, err := d.ReadToken()
	for err == nil && d.PeekKind() != '}' {
		var name jsontext.Token
		if name, err = d.ReadToken(); err != nil {
			break
		}
		f, known := messageFields[name.String()]
		switch {
		case known:
			err = f.check(d)
		case name.String() == "content" && d.PeekKind() == '[':
			err = checkObjects(d)
		default:
			err = d.SkipValue()
		}
	}
	if err == nil {
		_, err = d.ReadToken()
	}
	return err
}

// check takes the value of a member whose name was read.
func (f foreign) check(d *jsontext.Decoder) error {
	at := d.StackPointer()
	value, err := d.ReadValue()
	if err != nil || f.asksNothing(value) {
		return err
	}
	return f.refuse(fieldOf("/messages" + at))
}

func (f foreign) asksNothing(v jsontext.Value) bool {
	switch {
	case f.any:
		return true
	case f.exact:
		return slices.Contains(f.nothing, canonical(v))
	}
	return asksNothing(v, f.nothing)
}

// asksNothing tells whether a value is empty, or one that is harmless.
func asksNothing(v jsontext.Value, harmless []string) bool {
	text := canonical(v)
	return slices.Contains([]string{"null", "false", `""`, "[]", "{}"}, text) || slices.Contains(harmless, text)
}

// canonical is a value without white space; of a number 1.0 is 1.
func canonical(v jsontext.Value) string {
	v = v.Clone()
	if v.Compact() != nil {
		return ""
	}
	if x, err := strconv.ParseFloat(string(v), 64); err == nil && v.Kind() == '0' {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return string(v)
}
