package config

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// docs/CONFIG.md is made from the settings themselves: go test ./config -run Document -rewrite

var rewrite = flag.Bool("rewrite", false, "write the generated files anew")

const configHead = `# Settings of chimera serve

Each setting is a flag, an environment variable and a key of the TOML file (` + "`--config FILE`" + ` or CHIMERA_CONFIG). Flags win over the
environment, the environment over the file, the file over the default. An unknown key, a wrong type or a value out of
range is an error that names its place, and so is a variable whose name is nearly a setting's (CHIMERA_THREAD, CHIMERA_NUM_THREADS); the exit code is 2.

SIGHUP reads file and environment again; a bad file leaves the old settings in force. What is marked live changes at once, all else with a
restart: the log names what waits for one. Where threads is 0 the cores are counted again, for a control group whose quota has
changed: steps run on as many as there are, at most on those that there were at the start.

A key ` + "`a.b`" + ` is ` + "`b`" + ` in the table ` + "`[a]`" + `; tables stand behind the keys that are in none.

| Flag | Environment | TOML key | Default | Live | Meaning |
| --- | --- | --- | --- | --- | --- |
`

const configTables = "\nFor a user other than root the default socket is `$XDG_RUNTIME_DIR/chimera.sock` or, without that, lies in a folder of the user's own in `$TMPDIR`, and the history is " +
	"`$STATE_DIRECTORY/history.db`, `$XDG_STATE_HOME/chimera/history.db` or `~/.local/state/chimera/history.db`, the first whose folder is named. " +
	"`CHIMERA_MODEL` separates several models by commas; a path that is there may hold commas and = all the same.\n\n" +
	"## Tables of which there may be several\n\nThey stand in the file alone.\n"

// standard is a default as the document shows it.
func standard(s setting) string {
	if s.value == nil || s.value.String() == "" {
		return "none"
	}
	return "`" + s.value.String() + "`"
}

// cell is a text within a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func mark(live bool) string {
	if live {
		return "yes"
	}
	return ""
}

// line is a setting as the file would have it: its default, or where that says nothing an example.
func (s setting) line(key string) string {
	value := s.example
	if value == "" {
		if value = s.value.String(); slices.Contains([]string{"string", "duration", "size"}, s.value.Type()) {
			value = fmt.Sprintf("%q", value)
		} else if s.value.Type() == "stringArray" {
			value = "[]"
		}
	}
	return key + " = " + value + "\n"
}

// shown tells whether the example has a setting: auto and an empty text are what a file does not say.
func (s setting) shown() bool {
	if s.example != "" {
		return true
	}
	_, left := s.value.(decision)
	return !left && (s.value.String() != "" || s.value.Type() == "stringArray")
}

func configDocument() string {
	c := Default()
	c.Socket = "/run/chimera/chimera.sock"         // root's; a user's lies in XDG_RUNTIME_DIR
	c.History.File = "/var/lib/chimera/history.db" // of the service
	list := c.settings()
	slices.SortStableFunc(list, func(a, b setting) int {
		return cmp.Or(cmp.Compare(strings.Count(a.key, "."), strings.Count(b.key, ".")), strings.Compare(a.key, b.key))
	})
	out, example, in := &strings.Builder{}, &strings.Builder{}, ""
	out.WriteString(configHead)
	for _, s := range list {
		fmt.Fprintf(out, "| `--%s` | `%s` | `%s` | %s | %s | %s |\n", s.flag(), environmentName(s.flag()), s.key, standard(s), mark(s.live), cell(s.usage))
		table, key, found := strings.Cut(s.key, ".")
		if !found {
			table, key = "", s.key
		}
		if table != in {
			in = table
			fmt.Fprintf(example, "\n[%s]\n", table)
		}
		if s.shown() {
			example.WriteString(s.line(key))
		}
	}
	out.WriteString(configTables)
	c = Config{Model: make([]Model, 1), Tenant: []Tenant{{Weight: defaultWeight}}}
	for _, table := range c.tables() {
		fmt.Fprintf(out, "\n### `[[%s]]`\n\n%s", table.key, table.about)
		if table.live {
			out.WriteString(" All of it is live.")
		}
		out.WriteString("\n\n| Key | Default | Meaning |\n| --- | --- | --- |\n")
		text := "[[" + table.key + "]]\n"
		for _, s := range table.rows[0] {
			fmt.Fprintf(out, "| `%s` | %s | %s |\n", s.key, standard(s), cell(s.usage))
			if s.shown() {
				text += s.line(s.key)
			}
		}
		if table.key != "model" { // of which the example has the list
			example.WriteString("\n" + text)
			continue
		}
		fmt.Fprintf(out, "\n```toml\n%s```\n", text)
	}
	return out.String() + "\n## A file with the defaults\n\n```toml\n" + example.String() + "```\n"
}

func TestDocument(t *testing.T) {
	const path = "../docs/CONFIG.md"
	want := configDocument()
	if *rewrite {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is out of date (%v): go test ./config -run Document -rewrite", path, err)
	}
}

// The file that the document shows is read, and is the defaults with a model, pins and a tenant.
func TestDocumentIsRead(t *testing.T) {
	_, example, _ := strings.Cut(configDocument(), "## A file with the defaults\n\n```toml\n")
	example, _, found := strings.Cut(example, "```\n")
	if !found {
		t.Fatal("there is no example")
	}
	c, err := resolve(t, example)
	want := Default()
	want.Model, want.Socket = started(short("/var/lib/chimera/model.gguf=small")), "/run/chimera/chimera.sock"
	want.History.File = "/var/lib/chimera/history.db"
	want.AllowedHosts, want.CORSOrigins = []string{}, []string{}
	want.Tiers.Ladder, want.Quality.Suites = []string{}, []string{}
	want.Cache.Pins = []string{"/etc/chimera/support.txt=support"}
	want.Tenant = []Tenant{{Name: "evening", UIDs: []uint32{1001, 1002}, Keys: []string{strings.Repeat("0", 64)}, Weight: 1}}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, %v, want %+v", c, err, want)
	}
}
