package main

import (
	"github.com/spf13/cobra"

	"chimera/client"
)

// This file owns the verb quality.

func qualityCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "quality", Short: "Show what a daemon has measured of its serving", Args: operands(),
		Long: `Show each minute of the last hour that had requests, by model, tenant and class: how many were done, refused, failed and cancelled,
how long they waited, and which objectives were missed; what 1,000 tokens cost of the cores and of energy, by tier too, and how far
the load is from the most that a model completes; and how people's ratings of answers go with what was measured of these. Root
and the daemon's own user see all tenants, others what is theirs. --json prints what GET /v1/quality says.`,
		Example: "  chimera quality\n  chimera quality --json",
	}
	return view(c, (*client.Client).Quality, client.ParseQuality)
}
