package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestEdgeSettings(t *testing.T) {
	for _, c := range []struct {
		file        string
		args        []string
		environment string
		isolate     string // as --help would show it
		bad         string // part of the error
	}{
		{"isolate_tenants = true", nil, "", "true", ""},
		{"isolate_tenants = false", nil, "", "false", ""},
		{"isolate_tenants = true", nil, "auto", "auto", ""},
		{"", []string{"--isolate-tenants"}, "false", "true", ""},
		{"", []string{"--isolate-tenants=false"}, "", "false", ""},
		{"", nil, "", "auto", ""},
		{"", nil, "maybe", "", "CHIMERA_ISOLATE_TENANTS=maybe: use true, false or auto"},
		{"allowed_hosts = [\"chat.example\", \".corp\"]\ncors_origins = [\"https://ui.example\"]", nil, "", "auto", ""},
		{"allowed_hosts = [\"https://chat.example\"]", nil, "", "", `allowed_hosts: "https://chat.example": write a name`},
		{"", []string{"--cors-origins", "ui.example"}, "", "", `cors_origins: "ui.example": write it as browsers do`},
		{"log_format = \"xml\"", nil, "", "", "c.toml:1:1: log_format: xml: use text or json"},
	} {
		path := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("CHIMERA_ISOLATE_TENANTS", c.environment)
		if c.environment == "" {
			os.Unsetenv("CHIMERA_ISOLATE_TENANTS")
		}
		given, flags := Config{}, pflag.NewFlagSet("serve", pflag.ContinueOnError)
		Flags(flags, &given)
		if err := flags.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		got, err := Resolve(path, flags)
		var usage *Error
		switch {
		case c.bad == "" && (err != nil || decision{&got.IsolateTenants}.String() != c.isolate):
			t.Errorf("%+v: %v, %s", c, err, decision{&got.IsolateTenants})
		case c.bad != "" && (!errors.As(err, &usage) || !strings.Contains(err.Error(), c.bad)):
			t.Errorf("%+v: %v", c, err)
		}
	}
}
