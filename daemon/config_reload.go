package daemon

import (
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"chimera/measure"
	"chimera/quality/report"
	"chimera/scheduler"
	"chimera/systemd"
)

// This file owns what becomes of settings that are read again while the daemon runs.

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

// differences names the settings, as keys of the file, in which other differs.
func (c *Config) differences(other Config) (keys []string) {
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

// adopt takes over what is live of other: what a reload changes without a restart.
func (c *Config) adopt(other Config) {
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

// inForce are the live settings as requests are held against them.
type inForce struct {
	tenants    *tenants
	weights    map[string]float64 // of the tenants, by name
	deadlines  map[scheduler.Class]time.Duration
	objectives measure.Objectives
	wanted     report.Objectives // the same as reports hold them against figures, and those of quality
}

func (c *Config) inForce() *inForce {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	return &inForce{
		tenants: newTenants(c.Tenant), weights: c.weights(),
		deadlines:  map[scheduler.Class]time.Duration{scheduler.Interactive: ms(c.Scheduler.Deadline), scheduler.Batch: ms(c.Scheduler.BatchDeadline)},
		objectives: measure.Objectives{QPS: c.Objectives.QPS, TTFT: ms(c.Objectives.TTFT), TTFTP95: ms(c.Objectives.TTFTP95)},
		wanted: report.Objectives{
			QPS: c.Objectives.QPS, TTFT: float64(c.Objectives.TTFT), TTFTP95: float64(c.Objectives.TTFTP95),
			BLEU: c.Objectives.BLEU, Agreement: c.Objectives.Agreement, Accuracy: c.Objectives.Accuracy,
		},
	}
}

// whenReloaded has f called with the settings that are in force after a reload: the live ones are new, the others as before.
func (s *server) whenReloaded(f func(Config)) { s.reloaded = append(s.reloaded, f) }

// reloadConfig reads the settings again. A bad file leaves the old ones; what cannot change while
// running is named in the log.
func (s *server) reloadConfig() {
	systemd.Reloading()
	defer systemd.Ready()
	c, err := s.reload()
	if err != nil {
		slog.Error("reload refused, the old settings stay", "cause", err)
		return
	}
	changed := s.config
	s.config.adopt(c)
	level, _ := s.config.level()
	logLevel.Set(level)
	for _, apply := range s.reloaded {
		apply(s.config)
	}
	slog.Info("reloaded", "log_level", c.LogLevel, "changed", changed.differences(s.config))
	if waiting := s.config.differences(c); len(waiting) > 0 {
		slog.Warn("some changed settings need a restart", "settings", waiting)
	}
}
