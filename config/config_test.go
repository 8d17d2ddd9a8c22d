package config

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// resolve is what chimera serve does with a file's text (none if empty) and arguments.
func resolve(t *testing.T, text string, args ...string) (Config, error) {
	t.Helper()
	path := ""
	if text != "" {
		path = filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := Default()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	Flags(flags, &c)
	if err := flags.Parse(args); err != nil {
		return c, &Error{err}
	}
	return Resolve(path, flags)
}

// short are models as flags give them.
func short(settings ...string) (list []Model) {
	_ = models{&list, new(bool)}.Replace(settings)
	return list
}

// started is the list with the moments of loading that hold where none is given.
func started(list []Model) []Model {
	for i := range list {
		list[i].Load = []string{LoadAtStart, LoadOnDemand}[min(i, 1)]
	}
	return list
}

func mustResolve(t *testing.T, text string, args ...string) Config {
	t.Helper()
	c, err := resolve(t, text, args...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Every key of the file, and of its tables, is in the table of settings, and the other way round.
func TestEverySettingHasItsTwins(t *testing.T) {
	c := Config{Model: make([]Model, 1), Tenant: make([]Tenant, 1)}
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	Flags(flags, &c)
	documented := map[string]bool{}
	for _, s := range c.settings() {
		documented[s.key] = true
		if f := flags.Lookup(cmp.Or(map[string]string{"tiers.start": "tier"}[s.key], strings.NewReplacer("_", "-", ".", "-").Replace(s.key))); f == nil || f.Usage == "" || f.Usage != s.usage {
			t.Errorf("%s has no flag", s.key)
		}
	}
	for _, table := range []string{"scheduler", "cache", "tiers", "quality", "history", "privacy", "objectives"} {
		documented[table] = true
	}
	for _, table := range c.tables() {
		documented[table.key] = true
		for _, s := range table.rows[0] {
			documented[table.key+"."+s.key] = true
			if s.usage == "" {
				t.Errorf("%s.%s has no meaning", table.key, s.key)
			}
		}
	}
	for _, key := range keys() {
		if !documented[key] || key != strings.ToLower(key) {
			t.Errorf("%s is in no table", key)
		}
		delete(documented, key)
	}
	if len(documented) > 0 {
		t.Errorf("no fields: %v", documented)
	}
	n := 0
	flags.VisitAll(func(*pflag.Flag) { n++ })
	if n != len(c.settings()) {
		t.Errorf("%d flags for %d settings", n, len(c.settings()))
	}
}

// Flag over environment over file over default, for a number, a word and a list.
func TestPrecedence(t *testing.T) {
	const file = "model = [\"file.gguf\"]\nthreads = 2\nkv_type = \"q8_0\"\nstep_tokens = 64"
	if c := mustResolve(t, ""); c.Threads != 0 || c.KVType != "f16" || c.Model != nil || c.HTTP != "" {
		t.Errorf("default: %+v", c)
	}
	if c := mustResolve(t, file); c.Threads != 2 || c.KVType != "q8_0" || !reflect.DeepEqual(c.Model, started(short("file.gguf"))) || c.StepTokens != 64 || c.MaxSequences != 32 {
		t.Errorf("file: %+v", c)
	}
	t.Setenv("CHIMERA_THREADS", "3")
	t.Setenv("CHIMERA_KV_TYPE", "f32")
	t.Setenv("CHIMERA_MODEL", "env1.gguf=a,env2.gguf")
	if c := mustResolve(t, file); c.Threads != 3 || c.KVType != "f32" || !reflect.DeepEqual(c.Model, started(short("env1.gguf=a", "env2.gguf"))) || c.StepTokens != 64 {
		t.Errorf("environment: %+v", c)
	}
	c := mustResolve(t, file, "--threads", "4", "--kv-type=f16", "--model", "a,b.gguf=x", "--model", "c.gguf")
	if c.Threads != 4 || c.KVType != "f16" || !reflect.DeepEqual(c.Model, started(short("a,b.gguf=x", "c.gguf"))) || c.StepTokens != 64 {
		t.Errorf("flags: %+v", c)
	}
}

// A flag that says the default wins over the file as any other.
func TestFlagsThatSayTheDefault(t *testing.T) {
	if c := mustResolve(t, "kv_type = \"q8_0\"\nhttp = \"1\"", "--kv-type", "f16", "--http", ""); c.KVType != "f16" || c.HTTP != "" {
		t.Errorf("%+v", c)
	}
}

func TestConfigFileByEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(path, []byte("threads = 7"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CHIMERA_CONFIG", path)
	if c := mustResolve(t, ""); c.Threads != 7 {
		t.Errorf("CHIMERA_CONFIG is not read: %+v", c)
	}
	if c := mustResolve(t, "threads = 8"); c.Threads != 8 {
		t.Errorf("--config does not win: %+v", c)
	}
}

// Every mistake is a *Error that names the setting, and in a file the place.
func TestBadSettings(t *testing.T) {
	long := strings.Repeat("x", 108)
	for _, c := range []struct {
		name, file, variable string
		args                 []string
		want                 []string
	}{
		{"unknown key", "threads = 1\n  treads = 2\n", "", nil, []string{"c.toml:2:3", "unknown key treads"}},
		{"unknown table", "[server]\nthreads = 2\n", "", nil, []string{"c.toml:", "unknown key server"}},
		{"key with a dash", "kv-type = \"f16\"", "", nil, []string{"c.toml:1:1", "unknown key kv-type"}},
		{"word for a number", "threads = 1\nctx = \"many\"\n", "", nil, []string{"c.toml:2:7", "ctx"}},
		{"number for a word", "kv_type = 16", "", nil, []string{"c.toml:1:11", "kv_type"}},
		{"word for a list", "model = \"m.gguf\"", "", nil, []string{"c.toml:1:9", "model"}},
		{"list of numbers", "model = [1]", "", nil, []string{"c.toml:1:10", "model"}},
		{"float for a number", "threads = 1.5", "", nil, []string{"c.toml:1:11", "threads"}},
		{"number beyond 64 bits", "threads = 99999999999999999999", "", nil, []string{"c.toml:1:11"}},
		{"given twice", "ctx = 1\nctx = 2", "", nil, []string{"c.toml:2:1", "ctx"}},
		{"no TOML", "threads = = 1", "", nil, []string{"c.toml:1:"}},
		{"out of range in the file", "threads = -1", "", nil, []string{"c.toml", "threads", "between 0 and 1024"}},
		{"kv_type in the file", "kv_type = \"q4\"", "", nil, []string{"c.toml", "kv_type", "q4", "f32, f16 or q8_0"}},
		{"level in the file", "log_level = \"loud\"", "", nil, []string{"c.toml", "log_level", "loud", "warn or error"}},
		{"threads", "", "", []string{"--threads", "-1"}, []string{"--threads", "-1", "between 0 and 1024"}},
		{"threads no number", "", "", []string{"--threads", "all"}, []string{"--threads", "all", "number"}},
		{"kv-type", "", "", []string{"--kv-type", "q4"}, []string{"--kv-type", "q4", "f32, f16 or q8_0"}},
		{"isa", "", "", []string{"--isa", "neon"}, []string{"--isa", "neon", "scalar"}},
		{"ctx", "", "", []string{"--ctx", "-1"}, []string{"--ctx"}},
		{"step-tokens", "", "", []string{"--step-tokens", "0"}, []string{"--step-tokens", "between 1"}},
		{"max-sequences", "", "", []string{"--max-sequences", "0"}, []string{"--max-sequences", "between 1"}},
		{"max-sequences too many", "", "", []string{"--max-sequences", "99999999999"}, []string{"--max-sequences", "4096"}},
		{"http", "", "", []string{"--http", "bad"}, []string{"http", "bad", "PORT or HOST:PORT"}},
		{"http port", "", "", []string{"--http", "1.2.3.4:99999"}, []string{"http", "99999"}},
		{"socket too long", "", "", []string{"--socket", long}, []string{"socket", "108 bytes", "107"}},
		{"socket empty", "", "", []string{"--socket", ""}, []string{"socket", "empty"}},
		{"environment number", "", "CHIMERA_STEP_TOKENS=x", nil, []string{"CHIMERA_STEP_TOKENS=x"}},
		{"environment word", "", "CHIMERA_ISA=sse", nil, []string{"CHIMERA_ISA=sse", "scalar"}},
		{"environment address", "", "CHIMERA_HTTP=a:b:c", nil, []string{"http", "a:b:c"}},
		{"environment file", "", "CHIMERA_CONFIG=/nowhere/c.toml", nil, []string{"/nowhere/c.toml", "no such file"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if name, value, ok := strings.Cut(c.variable, "="); ok {
				t.Setenv(name, value)
			}
			_, err := resolve(t, c.file, c.args...)
			var config *Error
			if !errors.As(err, &config) {
				t.Fatalf("%v", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "config.") || strings.Contains(err.Error(), "[]string") {
				t.Errorf("%q speaks Go", err)
			}
		})
	}
}

// namedModel is a model with its path.
type namedModel struct{ path, name string }

func parseModels(list []Model) (named []namedModel, err error) {
	names, err := Names(list)
	for i, name := range names {
		named = append(named, namedModel{list[i].Path, name})
	}
	return named, err
}

func TestParseModels(t *testing.T) {
	list, err := parseModels(short("/m/a.gguf", "b.gguf=small", "c.bin=", "d=e=f"))
	want := []namedModel{{"/m/a.gguf", "a"}, {"b.gguf", "small"}, {"c.bin", "c.bin"}, {"d", "e=f"}}
	if err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("%v %v", list, err)
	}
	for setting, part := range map[string]string{"": "no model", "=x": "there is no path", "a.gguf,/m/a.gguf": "two models have that name", "a=x,b=x": `"x"`} {
		list := strings.Split(setting, ",")
		if setting == "" {
			list = nil
		}
		if _, err := parseModels(short(list...)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v", setting, err)
		}
	}
}

// What is there whole is a path, whatever stands in it, in flags and in the environment.
func TestModelPaths(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("CACHE_DIRECTORY", filepath.Join(folder, "cache"))
	at := func(name string) string { return filepath.Join(folder, name) }
	for _, name := range []string{"a=b.gguf", "a", "comma,x.gguf", "comma", "both,=.gguf", "plain.gguf", "cache/models/cached=1.gguf"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(at(name)), 0o700), os.WriteFile(at(name), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		environment string
		want        []namedModel
	}{
		{at("a=b.gguf"), []namedModel{{at("a=b.gguf"), "a=b"}}},
		{at("a=b.gguf") + "=small", []namedModel{{at("a=b.gguf"), "small"}}},
		{at("a=other.gguf"), []namedModel{{at("a"), "other.gguf"}}},
		{at("none=small=x"), []namedModel{{at("none"), "small=x"}}},
		{at("comma,x.gguf"), []namedModel{{at("comma,x.gguf"), "comma,x"}}},
		{at("comma,x.gguf") + "=small", []namedModel{{at("comma,x.gguf"), "small"}}},
		{at("plain.gguf") + "," + at("comma,x.gguf") + "," + at("a"), []namedModel{{at("plain.gguf"), "plain"}, {at("comma,x.gguf"), "comma,x"}, {at("a"), "a"}}},
		{at("plain.gguf") + "=one," + at("both,=.gguf") + "=two,", []namedModel{{at("plain.gguf"), "one"}, {at("both,=.gguf"), "two"}}},
		{at("comma") + "," + at("plain.gguf"), []namedModel{{at("comma"), "comma"}, {at("plain.gguf"), "plain"}}},
		{at("no") + "," + at("neither.gguf") + "=n", []namedModel{{at("no"), "no"}, {at("neither.gguf"), "n"}}},
		{"cached=1", []namedModel{{"cached=1", "cached=1"}}},
		{"cached=1=c", []namedModel{{"cached=1", "c"}}},
	} {
		t.Setenv("CHIMERA_MODEL", c.environment)
		list, err := parseModels(mustResolve(t, "").Model)
		if err != nil || !reflect.DeepEqual(list, c.want) {
			t.Errorf("%s: %q, want %q, %v", c.environment, list, c.want, err)
		}
	}
}

// A name that JSON can't hold, or a log, is refused before anything is loaded; the path may be what it likes.
func TestModelNames(t *testing.T) {
	for setting, part := range map[string]string{
		"/m/\xff.gguf": `"\xff" is not UTF-8`, "/m/a.gguf=\xc3": `"\xc3" is not UTF-8`, "/m/a.gguf=a\nb": "control characters", "/m/a\x1b[2J.gguf": "control characters",
		"/m/.gguf": "gives none",
	} {
		if _, err := parseModels(short(setting)); err == nil || !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), "PATH=NAME") {
			t.Errorf("%q: %v", setting, err)
		}
	}
	list, err := parseModels(short("/m/\xff.gguf=name", "/m/ü.gguf", "/m/x.gguf=模型 7"))
	if want := []namedModel{{"/m/\xff.gguf", "name"}, {"/m/ü.gguf", "ü"}, {"/m/x.gguf", "模型 7"}}; err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("%q, %v", list, err)
	}
	c := Default()
	if c.Socket = "/tmp/\xff.sock"; c.Check() == nil {
		t.Error("a socket that JSON can't hold")
	}
}
