package daemon

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// docs/CONFIG.md is made from the settings themselves: go test ./daemon -run ConfigDocument -rewrite

var rewrite = flag.Bool("rewrite", false, "write the generated files anew")

const configHead = `# Settings of chimera serve

Each setting is a flag, an environment variable and a key of the TOML file (` + "`--config FILE`" + ` or CHIMERA_CONFIG). Flags win over the
environment, the environment over the file, the file over the default. An unknown key, a wrong type or a value out of
range is an error that names its place, and so is a variable whose name is nearly a setting's (CHIMERA_THREAD, CHIMERA_NUM_THREADS); the exit code is 2. SIGHUP reads file and environment again; a bad file leaves
the old settings in force. The log level changes at once, all else with a restart: the
log names what waits for one. Where threads is 0 the cores are counted again, for a control group whose quota has
changed: steps run on as many as there are, at most on those that there were at the start.

| Flag | Environment | TOML key | Default | Meaning |
| --- | --- | --- | --- | --- |
`

// tomlExample is a value as the file would have it.
func tomlExample(f *pflag.Flag) string {
	switch {
	case f.Name == "model":
		return `["/var/lib/chimera/model.gguf=small"]`
	case f.Name == "http":
		return `"127.0.0.1:8080"`
	case f.Value.Type() == "string":
		return fmt.Sprintf("%q", f.DefValue)
	}
	return f.DefValue
}

func configDocument() string {
	c := DefaultConfig()
	c.Socket = "/run/chimera/chimera.sock" // root's; a user's lies in XDG_RUNTIME_DIR
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	Flags(flags, &c)
	table, example := &strings.Builder{}, &strings.Builder{}
	flags.VisitAll(func(f *pflag.Flag) {
		key, value := strings.ReplaceAll(f.Name, "-", "_"), "`"+f.DefValue+"`"
		if f.DefValue == "" || f.DefValue == "[]" {
			value = "none"
		}
		fmt.Fprintf(table, "| `--%s` | `%s` | `%s` | %s | %s |\n", f.Name, environmentName(f.Name), key, value, f.Usage)
		if _, left := f.Value.(decision); f.DefValue != "" && !left { // auto is what a file does not say
			fmt.Fprintf(example, "%s = %s\n", key, tomlExample(f))
		}
	})
	return configHead + table.String() + "\nFor a user other than root the default socket is `$XDG_RUNTIME_DIR/chimera.sock` or, without that, lies in a folder of the user's own in `$TMPDIR`. " +
		"`CHIMERA_MODEL` separates several models by commas; a path that is there may hold commas and = all the same.\n\nA file with the defaults:\n\n```toml\n" + example.String() + "```\n"
}

func TestConfigDocument(t *testing.T) {
	const path = "../docs/CONFIG.md"
	want := configDocument()
	if *rewrite {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is out of date (%v): go test ./daemon -run ConfigDocument -rewrite", path, err)
	}
}

// The file that the document shows is read, and is the defaults and a model.
func TestConfigDocumentIsRead(t *testing.T) {
	_, example, _ := strings.Cut(configDocument(), "```toml\n")
	example, _, found := strings.Cut(example, "```\n")
	if !found {
		t.Fatal("there is no example")
	}
	c, err := resolve(t, example)
	want := DefaultConfig()
	want.Model, want.Socket = []string{"/var/lib/chimera/model.gguf=small"}, "/run/chimera/chimera.sock"
	want.AllowedHosts, want.CORSOrigins = []string{}, []string{}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, %v, want %+v", c, err, want)
	}
}
