package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"chimera/daemon"
)

// version is the tag, or the commit, that Go notes in a build from a checkout.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version and what this machine can run", Args: cobra.NoArgs,
		Long:    "Print the version, the instruction sets of this machine that kernels exist for, the model architectures that can be run and, in a build for\nGPUs, the driver and devices found.",
		Example: "  chimera version",
		RunE: func(c *cobra.Command, _ []string) error {
			sets, architectures, gpus := daemon.Capabilities()
			if gpus != "" {
				gpus += "\n"
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "chimera %s (%s)\ninstruction sets: %s\narchitectures: %s\n%s",
				version(), runtime.Version(), strings.Join(sets, " "), strings.Join(architectures, " "), gpus)
			return err
		},
	}
}
