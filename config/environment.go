package config

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// This file owns variables that look like settings and are none.

const environmentPrefix = "CHIMERA_"

// otherVariables are read by something else than the settings: --config, --server, the clock of templates.
var otherVariables = []string{environmentPrefix + "CONFIG", environmentPrefix + "SERVER", environmentPrefix + "NOW"}

// checkEnvironment refuses a variable whose name is nearly that of one which is read: a setting that is not in force
// must not pass unseen. Others that begin alike are another program's and pass.
func checkEnvironment(environment []string, all *pflag.FlagSet) error {
	names := append([]string(nil), otherVariables...)
	all.VisitAll(func(f *pflag.Flag) { names = append(names, environmentName(f.Name)) })
	return CheckVariables(environment, names)
}

// CheckVariables holds the environment, lines of NAME=VALUE, against the names that are read.
func CheckVariables(environment, names []string) error {
	known := map[string]bool{}
	var bare []string
	for _, name := range names {
		known[name] = true
		bare = append(bare, strings.TrimPrefix(name, environmentPrefix))
	}
	for _, line := range environment {
		name, value, _ := strings.Cut(line, "=")
		rest, ours := strings.CutPrefix(strings.ToUpper(name), environmentPrefix)
		if !ours || known[name] || ofService(name, value) {
			continue
		}
		if near := Near(rest, bare); len(near) > 0 {
			return fmt.Errorf("environment: %s is not read; did you mean %s%s? Rename it or unset it", name, environmentPrefix, near[0])
		}
	}
	return nil
}

// ofService tells whether Kubernetes set a variable, for a service called chimera-model or the like. Its others, such as
// CHIMERA_MODEL_SERVICE_HOST, are like no setting.
func ofService(name, value string) bool {
	return strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}
