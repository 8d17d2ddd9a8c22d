package main

import (
	"github.com/spf13/cobra"

	"chimera/client"
)

// This file owns the verb cache.

func cacheCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "cache", Short: "Show the prefixes that a daemon's caches hold", Args: operands(),
		Long: `Show what the prefix cache of each loaded model is good for, and its hottest prefixes: a digest in place of the text, the name of
one that is pinned, its tokens, how often it was used, how hot it is (uses, of which those of a half-life ago count half), and how
much computing it has saved. A daemon that keeps its users apart shows this to root and its own user alone. --json prints what GET
/v1/cache says.`,
		Example: "  chimera cache\n  chimera cache --json",
	}
	return view(c, (*client.Client).Cache, client.ParseCaches)
}
