package api

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
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

// checkMessageFields holds the members of messages, and of the parts of their content, to messageFields. messages have been
// checked for what they are.
func checkMessageFields(messages jsontext.Value) error {
	list, err := elements("messages", messages, maxMessages)
	if err != nil {
		return err
	}
	members := map[string]jsontext.Value{} // one for all, since there may be many parts
	for i, message := range list {
		prefix := fmt.Sprintf("messages[%d].", i)
		if err := checkMembers(prefix, message, members); err != nil {
			return err
		}
		content := members["content"]
		if content.Kind() != '[' {
			continue
		}
		parts, err := elements(prefix+"content", content, maxContent)
		if err != nil {
			return err
		}
		for k, part := range parts {
			if err := checkMembers(fmt.Sprintf("%scontent[%d].", prefix, k), part, members); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkMembers holds an object of a conversation to messageFields, and leaves its members in members.
func checkMembers(prefix string, object jsontext.Value, members map[string]jsontext.Value) error {
	clear(members)
	if err := json.Unmarshal(object, &members); err != nil {
		return err
	}
	return checkForeign(prefix, members, messageFields)
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
