package simulator

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"chimera/scheduler"
)

// This file owns naming what of the policy a simulation changes.

// SetRule gives a constant of the policy another value.
func SetRule(r *scheduler.Rules, name, value string) (err error) {
	if name == "DoorTime" {
		return errors.New("DoorTime: nobody comes back to a trace, so that it changes nothing; docs/POLICY.md has its table")
	}
	f := reflect.ValueOf(r).Elem().FieldByName(name)
	if !f.IsValid() {
		return fmt.Errorf("%q is no constant of the policy: there are %s", name, strings.Join(ruleNames(), ", "))
	}
	number, err := strconv.ParseFloat(value, 64)
	switch to := f.Addr().Interface().(type) {
	case *time.Duration:
		if *to, err = time.ParseDuration(value); err != nil || *to < 0 {
			err = errors.New("use a time such as 500ms")
		}
		return err
	case *int:
		if *to = int(number); float64(*to) != number {
			err = errors.New("use a whole number")
		}
	case *float64:
		*to = number
	}
	if err != nil || !(number > 0 && number < 1e9) {
		return fmt.Errorf("%s: use a number above zero, and a whole one where the default is", name)
	}
	return nil
}

// ruleNames are those of scheduler.Rules.
func ruleNames() (names []string) {
	t := reflect.TypeFor[scheduler.Rules]()
	for i := range t.NumField() {
		names = append(names, t.Field(i).Name)
	}
	return names
}

// CharacteristicsHelp describes what can be switched off.
func CharacteristicsHelp() string {
	var b strings.Builder
	for _, c := range scheduler.Characteristics {
		fmt.Fprintf(&b, "  %-13s %s\n", c.Name, c.Meaning)
	}
	return b.String()
}
