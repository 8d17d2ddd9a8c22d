package main

import (
	"github.com/spf13/cobra"

	"chimera/client"
)

// This file owns the verb ps.

func psCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "ps", Short: "Show a daemon's models and load", Args: operands(),
		Long: `Show what a running daemon is doing: for each model how many tokens its context holds, how many requests run and wait, what
memory it takes, how long nobody has used it, and its state: configured, loading, ready, draining or failed; then how many pages,
of 16 tokens, of its KV cache are in use, its memory by purpose and the health of its GPUs. --json prints all that GET /v1/status
says.`,
		Example: "  chimera ps\n  chimera ps --server 127.0.0.1:8080 --json",
	}
	return view(c, (*client.Client).Status, client.ParseStatus)
}
