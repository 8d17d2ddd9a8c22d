package config

import (
	"reflect"
	"slices"
	"strings"
)

// This file owns how settings are held against others: what differs, and what of it may change while the daemon runs.

// eachField calls f with the key and the field of every setting, in their order in Config.
func eachField(v reflect.Value, prefix string, f func(key string, field reflect.Value)) {
	for i := range v.NumField() {
		key := prefix + v.Type().Field(i).Tag.Get("toml")
		if field := v.Field(i); field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[Duration]() {
			eachField(field, key+".", f)
		} else {
			f(key, field)
		}
	}
}

// keys are those of the settings file, and of its tables.
func keys() (list []string) {
	add := func(key string, field reflect.Value) {
		list = append(list, key)
		if kind := field.Type(); kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct {
			eachField(reflect.New(kind.Elem()).Elem(), key+".", func(key string, _ reflect.Value) { list = append(list, key) })
		}
	}
	c := Config{}
	eachField(reflect.ValueOf(&c).Elem(), "", add)
	for _, key := range list {
		if table, _, within := strings.Cut(key, "."); within && !slices.Contains(list, table) {
			list = append(list, table)
		}
	}
	return list
}

// Differences names the settings, as keys of the file, in which other differs.
func (c *Config) Differences(other Config) (keys []string) {
	var values []any
	eachField(reflect.ValueOf(c).Elem(), "", func(_ string, field reflect.Value) { values = append(values, field.Interface()) })
	i := 0
	eachField(reflect.ValueOf(&other).Elem(), "", func(key string, field reflect.Value) {
		if !reflect.DeepEqual(values[i], field.Interface()) {
			keys = append(keys, key)
		}
		i++
	})
	return keys
}

// Adopt takes over what is live of other: what a reload changes without a restart.
func (c *Config) Adopt(other Config) {
	live := c.liveKeys()
	var values []reflect.Value
	eachField(reflect.ValueOf(&other).Elem(), "", func(_ string, field reflect.Value) { values = append(values, field) })
	i := 0
	eachField(reflect.ValueOf(c).Elem(), "", func(key string, field reflect.Value) {
		if slices.Contains(live, key) {
			field.Set(values[i])
		}
		i++
	})
}

// liveKeys are those that a reload applies.
func (c *Config) liveKeys() (list []string) {
	for _, s := range c.settings() {
		if s.live {
			list = append(list, s.key)
		}
	}
	for _, t := range c.tables() {
		if t.live {
			list = append(list, t.key)
		}
	}
	return list
}
