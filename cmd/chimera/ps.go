package main

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"chimera/client"
)

// This file owns the verb ps.

func psCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "ps", Short: "Show a daemon's models and load", Args: operands(),
		Long: `Show what a running daemon is doing: for each model how many tokens its context holds, how many requests run and wait, what
memory it takes, how long nobody has used it, and its state: configured, loading, ready, draining or failed; then how many pages,
of 16 tokens, of its KV cache are in use, its memory by purpose and the health of its GPUs. --json prints all that GET /v1/status
says.`,
		Example: "  chimera ps\n  chimera ps --server 127.0.0.1:8080 --json",
	}
	address := serverFlag(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := interruptible(c)
		defer cancel()
		d, err := server(c, *address)
		if err != nil {
			return err
		}
		text, err := d.Status(ctx)
		if err != nil {
			return err
		}
		if asJSON {
			value := jsontext.Value(text)
			return printJSON(c.OutOrStdout(), &value)
		}
		s, err := client.ParseStatus(text)
		if err != nil {
			return err
		}
		return s.Print(c.OutOrStdout())
	}
	return c
}
