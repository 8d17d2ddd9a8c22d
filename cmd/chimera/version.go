package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"chimera/loader"
)

// This file owns the verb version: what this binary was built from, and what it can run here.

// Go notes these itself in a build from a checkout. Where it can't, as in an archive of the source, the Makefile sets
// them: make build COMMIT=... DATE=...
var commit, date string

// build is what a report of a fault should name.
type build struct {
	Version         string   `json:"version"` // the tag, or what Go makes of the commit
	Commit          string   `json:"commit"`
	Modified        bool     `json:"modified"` // the source differed from the commit
	Date            string   `json:"date"`     // of the commit: the same source gives the same binary
	Go              string   `json:"go"`
	Kernels         []string `json:"kernels"`          // built in
	InstructionSets []string `json:"instruction_sets"` // of these kernels, what this machine runs
	Architectures   []string `json:"architectures"`
	GPUs            string   `json:"gpus,omitempty"`
}

const unknownBuild = "unknown"

func thisBuild() build {
	b := build{Version: "development", Commit: unknownBuild, Date: unknownBuild, Go: runtime.Version(), Kernels: []string{"cpu"}}
	b.InstructionSets, b.Architectures, b.GPUs = loader.Capabilities()
	if b.GPUs != "" {
		b.Kernels = append(b.Kernels, "cuda")
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.take(info)
	}
	if commit != "" {
		b.Commit, b.Modified = strings.CutSuffix(commit, "-modified")
	}
	if date != "" {
		b.Date = date
	}
	return b
}

// take reads what Go noted.
func (b *build) take(info *debug.BuildInfo) {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
}

func (b build) String() string {
	commit := b.Commit
	if b.Modified {
		commit += ", modified"
	}
	text := fmt.Sprintf("chimera %s (%s)\ncommit: %s\ndate: %s\nkernels built: %s\ninstruction sets: %s\narchitectures: %s",
		b.Version, b.Go, commit, b.Date, strings.Join(b.Kernels, " "), strings.Join(b.InstructionSets, " "), strings.Join(b.Architectures, " "))
	if b.GPUs != "" {
		text += "\n" + b.GPUs
	}
	return text
}

func printVersion(w io.Writer) error {
	_, err := fmt.Fprintln(w, thisBuild())
	return err
}

func versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "version", Short: "Print the version and what this machine can run", Args: operands(),
		Long: `Print the version, the commit that was built and its date, the kernels that are built in, those of their instruction sets that
this machine has, the model architectures that can be run and, in a build for GPUs, the driver and devices found.`,
		Example: "  chimera version\n  chimera version --json",
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if asJSON {
			return printJSON(c.OutOrStdout(), thisBuild())
		}
		return printVersion(c.OutOrStdout())
	}
	return c
}
