package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// This file owns tests of the settings' tables: what each key may be, where an error says it stands, and what a reload applies.

const (
	oneKey     = "ae20a1a9c0b9dc1d2dc28ac9d4cfdd4ea8a1d2cbb8d2cf2b8f1e1ed1ba4a2bd0"
	anotherKey = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" // foo
)

func TestTables(t *testing.T) {
	c := mustResolve(t, `
threads = 1
[scheduler]
itl_ms = 40
deadline_ms = 5000
batch_deadline_ms = 86400000
wait_ms = 7000
[[model]]
path = "/m/a.gguf"
[cache]
half_life = "1h30m"
pins = ["/p/x.txt", "/p/y.txt=long"]
[[model]]
path = "b.gguf"
name = "small"
keep_alive = "90s"
load = "start"
[[model]]
path = "c.gguf"
pin = true
[[tenant]]
name = "day"
uids = [0, 1000]
[[tenant]]
name = "night"
keys = ["`+strings.ToUpper(anotherKey)+`"]
weight = 1000
`)
	want := Default()
	want.Threads = 1
	want.Scheduler = Scheduler{ITL: 40, Deadline: 5000, BatchDeadline: 86400000, Wait: 7000}
	want.Cache = Cache{HalfLife: Duration{90 * time.Minute}, Pins: []string{"/p/x.txt", "/p/y.txt=long"}}
	want.Model = []Model{
		{Path: "/m/a.gguf", Load: LoadAtStart}, {Path: "b.gguf", Name: "small", KeepAlive: Duration{90 * time.Second}, Load: LoadAtStart},
		{Path: "c.gguf", Pin: true, Load: LoadOnDemand},
	}
	want.Tenant = []Tenant{{Name: "day", UIDs: []uint32{0, 1000}, Weight: 1}, {Name: "night", Keys: []string{anotherKey}, Weight: 1000}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("%+v\nwant %+v", c, want)
	}
	list, err := parseModels(c.Model)
	if want := []namedModel{{"/m/a.gguf", "a"}, {"b.gguf", "small"}, {"c.gguf", "c"}}; err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("%v %v", list, err)
	}
}

// Keys of tables are flags and variables too, with the usual precedence; of models these give path and name.
func TestTablesHaveTwins(t *testing.T) {
	const file = "[scheduler]\nitl_ms = 1\ndeadline_ms = 1\nbatch_deadline_ms = 1\nwait_ms = 4\n[cache]\nhalf_life = \"1m\"\npins = [\"a\"]\n[[model]]\npath = \"m\"\npin = true\n"
	t.Setenv("CHIMERA_SCHEDULER_ITL_MS", "2")
	t.Setenv("CHIMERA_SCHEDULER_DEADLINE_MS", "2")
	t.Setenv("CHIMERA_CACHE_PINS", "b,c=d")
	t.Setenv("CHIMERA_CACHE_HALF_LIFE", "2m")
	c := mustResolve(t, file, "--scheduler-itl-ms", "3", "--cache-half-life=3m", "--model", "x=y")
	if c.Scheduler != (Scheduler{ITL: 3, Deadline: 2, BatchDeadline: 1, Wait: 4}) || c.Cache.HalfLife.Duration != 3*time.Minute || !slices.Equal(c.Cache.Pins, []string{"b", "c=d"}) {
		t.Errorf("%+v %+v", c.Scheduler, c.Cache)
	}
	if !reflect.DeepEqual(c.Model, []Model{{Path: "x", Name: "y", Load: LoadAtStart}}) {
		t.Errorf("%+v", c.Model)
	}
	c = mustResolve(t, "", "--cache-pins", "a", "--cache-pins", "b", "--scheduler-batch-deadline-ms", "9")
	if !slices.Equal(c.Cache.Pins, []string{"a", "b"}) || c.Scheduler.BatchDeadline != 9 {
		t.Errorf("%+v", c)
	}
}

// Each mistake names file, line, column and key, and what would be right.
func TestBadTables(t *testing.T) {
	const tenant = "[[tenant]]\nname = \"a\"\n"
	for _, c := range []struct {
		name, file string
		want       []string
	}{
		{"both", "model = [\"a\"]\n[[model]]\npath = \"b\"", []string{"c.toml:2:3: model: ", "not both"}},
		{"both, in a line", "model = [\"a\", {path = \"b\", pin = 1}]", []string{"c.toml:1:34: model.pin: a TOML integer"}},
		{"one table", "[model]\npath = \"b\"", []string{"c.toml:1:2: ", "write [[model]]"}},
		{"one tenant", "[tenant]\nname = \"b\"", []string{"c.toml:1:2: ", "write [[tenant]]"}},
		{"many schedulers", "[[scheduler]]\nitl_ms = 1", []string{"c.toml:1:3: scheduler: "}},
		{"no table", "scheduler = 3", []string{"c.toml:1:13: scheduler: a TOML integer does not suit it"}},
		{"no models", "model = 3", []string{"c.toml:1:9: model: a TOML integer does not suit it"}},
		{"unknown key of a model", "[[model]]\npath = \"a\"\n  keepalive = \"1m\"", []string{"c.toml:3:3: unknown key model.keepalive; did you mean model.keep_alive?"}},
		{"unknown key of a tenant", tenant + "uid = [1]", []string{"c.toml:3:1: unknown key tenant.uid; did you mean tenant.uids?"}},
		{"unknown key of a table", "[scheduler]\nitlms = 3", []string{"c.toml:2:1: unknown key scheduler.itlms; did you mean scheduler.itl_ms or scheduler.wait_ms?"}},
		{"unknown table", "[schedular]\nitl_ms = 3", []string{"c.toml:1:2: unknown key schedular; did you mean scheduler?"}},
		{"setting in a table", "[cache]\nthreads = 3", []string{"c.toml:2:1: unknown key cache.threads"}},
		{"no path", "[[model]]\nname = \"a\"", []string{"c.toml:1:3: model[0]: there is no path"}},
		{"no path in the list", "model = [\"a\",\n \"=x\"]", []string{"c.toml:2:2: model[1]: there is no path"}},
		{"one name", "[[model]]\npath = \"a\"\n[[model]]\npath = \"/x/a.gguf\"", []string{"c.toml:3:3: model[1]: \"a\": two models"}},
		{"load", "[[model]]\npath = \"a\"\nload = \"later\"", []string{"c.toml:3:1: model[0].load: later: use start or demand"}},
		{"load, empty", "[[model]]\npath = \"a\"\nload = \"\"", []string{"c.toml:3:1: model[0].load: ", "use start or demand"}},
		{"keep_alive", "[[model]]\npath = \"a\"\nkeep_alive = \"5\"", []string{"c.toml:3:14: model.keep_alive: ", "with its unit, such as 90s", "not 5"}},
		{"keep_alive, a number", "[[model]]\npath = \"a\"\nkeep_alive = 5", []string{"c.toml:3:14: model.keep_alive: a TOML integer", "with its unit"}},
		{"half_life, a list", "[cache]\nhalf_life = [\"1m\"]", []string{"c.toml:2:1: cache.half_life: a TOML array"}},
		{"half_life, a float", "[cache]\nhalf_life = 1.5", []string{"c.toml:2:13: cache.half_life: a TOML float"}},
		{"keep_alive, too long", "[[model]]\npath = \"a\"\nkeep_alive = \"721h\"", []string{"c.toml:3:1: model[0].keep_alive: 721h: use a time between 0s and 720h"}},
		{"keep_alive, negative", "[[model]]\npath = \"a\"\nkeep_alive = \"-1s\"", []string{"c.toml:3:1: model[0].keep_alive: -1s: "}},
		{"pin", "[[model]]\npath = \"a\"\npin = \"yes\"", []string{"c.toml:3:7: model.pin: a TOML string does not suit it: write true or false"}},
		{"itl_ms", "[scheduler]\n itl_ms = -1", []string{"c.toml:2:2: scheduler.itl_ms: -1: use a number between 0 and 10000"}},
		{"itl_ms as dotted key", "scheduler.itl_ms = 10001", []string{"c.toml:1:1: scheduler.itl_ms: 10001: "}},
		{"itl_ms in a line", "scheduler = {itl_ms = 10001}", []string{"c.toml:1:14: scheduler.itl_ms: 10001: "}},
		{"deadline_ms", "[scheduler]\ndeadline_ms = 86400001", []string{"c.toml:2:1: scheduler.deadline_ms: 86400001: use a number between 0 and 86400000"}},
		{"batch_deadline_ms", "[scheduler]\nbatch_deadline_ms = -5", []string{"c.toml:2:1: scheduler.batch_deadline_ms: -5: "}},
		{"half_life", "[cache]\nhalf_life = \"721h\"", []string{"c.toml:2:1: cache.half_life: 721h: use a time between 0s and 720h"}},
		{"half_life, a word", "[cache]\nhalf_life = \"long\"", []string{"c.toml:2:13: cache.half_life: ", "not long"}},
		{"pins, one name", "[cache]\npins = [\"/a/x.txt\",\n\"/b/x.md\"]", []string{"c.toml:3:1: cache.pins[1]: two pins are called \"x\""}},
		{"pins, no file", "[cache]\npins = [\"=x\"]", []string{"c.toml:2:9: cache.pins[0]: ", "write FILE or FILE=NAME"}},
		{"pins, a number", "[cache]\npins = [1]", []string{"c.toml:2:9: cache.pins: a TOML integer does not suit it: write a text in quotes"}},
		{"tenant without a name", "threads = 1\n[[tenant]]\nuids = [1]", []string{"c.toml:2:3: tenant[0].name: ", "1 to 64 bytes"}},
		{"tenant with an odd name", "[[tenant]]\nname = \"a\\u0007\"\nuids = [1]", []string{"c.toml:2:1: tenant[0].name: "}},
		{"tenant of nobody", tenant, []string{"c.toml:1:3: tenant[0]: tenant \"a\" has nobody: give it uids or keys"}},
		{"two tenants of a name", tenant + "uids = [1]\n" + tenant + "uids = [2]", []string{"c.toml:5:1: tenant[1].name: two tenants are called \"a\""}},
		{"a uid of two", tenant + "uids = [1, 7]\n[[tenant]]\nname = \"b\"\nuids = [3,\n 7]", []string{"c.toml:7:2: tenant[1].uids[1]: 7 is tenant \"a\"'s already"}},
		{"a key of two", tenant + "keys = [\"" + oneKey + "\"]\n[[tenant]]\nname = \"b\"\nkeys = [\"" + strings.ToUpper(oneKey) + "\"]", []string{"c.toml:6:9: tenant[1].keys[0]: the key is tenant \"a\"'s already"}},
		{"a plain key", tenant + "keys = [\"sk-secret\"]", []string{"c.toml:3:9: tenant[0].keys[0]: it is no SHA-256", "printf %s KEY | sha256sum"}},
		{"half a digest", tenant + "keys = [\"" + oneKey[:62] + "\"]", []string{"c.toml:3:9: tenant[0].keys[0]: it is no SHA-256"}},
		{"negative uid", tenant + "uids = [-1]", []string{"c.toml:3:9: ", "tenant.uids"}},
		{"nobody's uid", tenant + "uids = [4294967295]", []string{"c.toml:3:9: tenant[0].uids[0]: "}},
		{"uid beyond 32 bits", tenant + "uids = [4294967296]", []string{"c.toml:3:9: ", "tenant.uids"}},
		{"uid by name", tenant + "uids = [\"root\"]", []string{"c.toml:3:9: tenant.uids: a TOML string does not suit it: write a whole number from 0 on"}},
		{"weight", tenant + "uids = [1]\nweight = 0", []string{"c.toml:4:1: tenant[0].weight: 0: use a number between 1 and 1000"}},
		{"weight, too much", tenant + "uids = [1]\nweight = 1001", []string{"c.toml:4:1: tenant[0].weight: 1001: "}},
		{"weight, a float", tenant + "uids = [1]\nweight = 1.5", []string{"c.toml:4:10: tenant.weight: a TOML float does not suit it: write a whole number"}},
		{"in a line", "tenant = [{name = \"a\", uids = [1]}, {name = \"b\", uids = [2,\n\t1]}]", []string{"c.toml:2:2: tenant[1].uids[1]: 1 is tenant \"a\"'s already"}},
		{"weight in a line", "tenant = [{name = \"a\", uids = [1], weight = 0}]", []string{"c.toml:1:36: tenant[0].weight: 0: "}},
		{"duration in a line", "cache = {half_life = [\"1m\"]}", []string{"c.toml:1:10: cache.half_life: a TOML array"}},
		{"unknown in a line", "tenant = [{name = \"a\", uid = [1]}]", []string{"c.toml:1:24: unknown key tenant.uid; did you mean tenant.uids?"}},
		{"in capitals", "THREADS = -1\n", []string{"c.toml:1:1: threads: -1: "}},
		{"in capitals, in a table", "[Scheduler]\nITL_ms = -1\n[[Tenant]]\nname = \"a\"\n", []string{"c.toml:2:1: scheduler.itl_ms: -1: "}},
		{"with a long s", "[\"\u017fcheduler\"]\nitl_ms = -1\n", []string{"c.toml:"}},
		{"quoted", "[\"scheduler\"]\n\"itl_ms\" = -2", []string{"c.toml:2:1: scheduler.itl_ms: -2: "}},
		{"behind CR LF and letters of two bytes", "# é\r\n[scheduler]\r\nitl_ms = -2", []string{"c.toml:3:1: scheduler.itl_ms: -2: "}},
		{"a table in a tenant", tenant + "uids = [1]\n[tenant.x]\ny = 1", []string{"c.toml:4:", "unknown key tenant.x"}},
		{"given twice", "[cache]\npins = []\n[cache]\npins = []", []string{"c.toml:3:2: cache: "}},
		{"of a setting", "threads = 1\nallowed_hosts = [\"a/b\"]", []string{"c.toml:2:1: allowed_hosts: \"a/b\""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := resolve(t, c.file)
			var config *Error
			if !errors.As(err, &config) {
				t.Fatalf("%v", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "config.") || strings.Contains(err.Error(), "struct") || strings.Contains(err.Error(), "sk-secret") {
				t.Errorf("%q speaks Go, or says a key", err)
			}
		})
	}
}

// What came later has the last word, and the blame.
func TestErrorsNameTheirSource(t *testing.T) {
	t.Setenv("CHIMERA_HTTP", "a:b:c")
	if _, err := resolve(t, "http = \"1\"\n"); err == nil || !strings.HasPrefix(err.Error(), "CHIMERA_HTTP: http: ") {
		t.Errorf("%v", err)
	}
	if _, err := resolve(t, "model = [\"a\"]\nhttp = \"1\"\n", "--http", "x:y:z", "--model", "=b"); err == nil || !strings.HasPrefix(err.Error(), "--http: http: ") {
		t.Errorf("%v", err)
	}
	if _, err := resolve(t, "model = [\"a\"]\n", "--http", "1", "--model", "=b"); err == nil || !strings.HasPrefix(err.Error(), "--model: model[0]: there is no path") {
		t.Errorf("%v", err)
	}
}

// A file with very many keys is read in a moment.
func TestManyKeys(t *testing.T) {
	began := time.Now()
	var file strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&file, "[[tenant]]\nname = \"%d\"\nuids = [%d]\n", i, i)
	}
	if c := mustResolve(t, file.String()); len(c.Tenant) != 20_000 || c.Tenant[7].Weight != 1 {
		t.Errorf("%d tenants", len(c.Tenant))
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestDurations(t *testing.T) {
	for value, want := range map[string]string{"90s": "1m30s", "600s": "10m", "2h": "2h", "1h30m0s": "1h30m", "1h0m5s": "1h0m5s", "0": "0s", "250ms": "250ms"} {
		var d Duration
		if err := d.UnmarshalText([]byte(value)); err != nil || d.String() != want {
			t.Errorf("%s: %s, %v", value, d, err)
		}
	}
}

func TestDifferences(t *testing.T) {
	a := Default()
	b := a
	b.Ctx, b.Model, b.Scheduler.ITL, b.Cache.Pins = 7, short("x"), 9, []string{"y"}
	if got := a.Differences(b); !reflect.DeepEqual(got, []string{"model", "ctx", "scheduler.itl_ms", "cache.pins"}) || a.Differences(a) != nil {
		t.Errorf("%v", got)
	}
}

// A reload takes over what is live, tells those who are to know, and names the rest.
func TestAdopt(t *testing.T) {
	live := []string{"log_level", "tenant", "scheduler.itl_ms", "scheduler.deadline_ms", "scheduler.batch_deadline_ms", "objectives.qps", "objectives.ttft_ms", "objectives.ttft_p95_ms", "objectives.bleu", "objectives.agreement", "objectives.accuracy", "quality.control_share", "quality.edge_budget", "quality.window"}
	a := Default()
	got := a.liveKeys()
	slices.Sort(got)
	if want := slices.Sorted(slices.Values(live)); !slices.Equal(got, want) {
		t.Fatalf("live are %v, want %v", got, want)
	}
	b := Config{
		Model: short("m"), Threads: 3, LogLevel: "debug", Tenant: []Tenant{{Name: "a", UIDs: []uint32{1}}},
		Scheduler: Scheduler{ITL: 1, Deadline: 2, BatchDeadline: 3, Wait: 4}, Cache: Cache{HalfLife: Duration{time.Hour}, Pins: []string{"p"}}, IsolateTenants: new(bool),
		History: History{File: "h"}, Privacy: Privacy{"all", Duration{time.Hour}}, Objectives: Objectives{5, 6, 7, 8, 0.9, 0.5},
		Quality: Quality{ControlShare: 0.5, Window: 30},
	}
	changed := a
	changed.Adopt(b)
	for _, key := range live {
		if slices.Contains(changed.Differences(b), key) || !slices.Contains(changed.Differences(a), key) {
			t.Errorf("%s is not taken over", key)
		}
	}
	if n := len(changed.Differences(a)); n != len(live) {
		t.Errorf("taken over: %v", changed.Differences(a))
	}
}

// Each key of that type takes a text alone.
func TestDurationKeys(t *testing.T) {
	var found []string
	c := Config{}
	note := func(prefix string) func(string, reflect.Value) {
		return func(key string, v reflect.Value) {
			if v.Type() == reflect.TypeFor[Duration]() {
				found = append(found, prefix+key)
			}
		}
	}
	eachField(reflect.ValueOf(&c).Elem(), "", note(""))
	eachField(reflect.ValueOf(&Model{}).Elem(), "", note("model."))
	eachField(reflect.ValueOf(&Tenant{}).Elem(), "", note("tenant."))
	slices.Sort(found)
	if want := slices.Sorted(slices.Values(durations)); !slices.Equal(found, want) {
		t.Errorf("%v, want %v", found, want)
	}
}

// Pins are files; what is there whole is one, whatever stands in its name.
func TestPins(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	for name, text := range map[string]string{"a.txt": "A", "b=c.txt": "B", "empty.txt": ""} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := Default()
	c.MaxBody = 1
	c.Cache.Pins = []string{at("a.txt"), at("a.txt") + "=again", at("b=c.txt"), at("b=c.txt") + "=d=e"}
	got, err := c.ReadPins()
	if want := []Pin{{"a", "A"}, {"again", "A"}, {"b=c", "B"}, {"d=e", "B"}}; err != nil || !reflect.DeepEqual(got, want) || c.checkPins() != nil {
		t.Errorf("%v, %v, %v", got, err, c.checkPins())
	}
	if err := os.WriteFile(at("a.txt"), []byte("AA"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, pin := range []string{at("a.txt"), at("empty.txt"), at("none.txt"), folder} {
		c.Cache.Pins = []string{pin}
		if got, err := c.ReadPins(); err == nil || !strings.Contains(err.Error(), "cache.pins: ") || !strings.Contains(err.Error(), pin) {
			t.Errorf("%s: %v, %v", pin, got, err)
		}
	}
}

// Whatever a file holds, it is read or refused, with its name.
func FuzzConfigFile(f *testing.F) {
	for _, text := range []string{
		"model = [\"a\"]\n[[tenant]]\nname = \"a\"\nuids = [1]\n", "tenant = [{name = \"a\", keys = [\"" + anotherKey + "\"]}]", "[cache]\nhalf_life = 1.5\npins = [[1]]",
		"[[model]]\npath = \"a\"\n[[model.x]]\n[model.y]\na.b.c = {d = [{}]}", "scheduler.itl_ms = 99999\n\"\" = 1", "model = [{}]\r\nx = 1979-05-27T07:32:00Z",
	} {
		f.Add(text)
	}
	path := filepath.Join(f.TempDir(), "c.toml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := Default()
		from, err := readFile(path, &c)
		if err == nil {
			err = from.named(errors.Join(c.checkFile(from), c.Check()))
		}
		if err != nil && !strings.Contains(err.Error(), "c.toml") {
			t.Errorf("%q: %v", text, err)
		}
	})
}
