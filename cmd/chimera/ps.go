package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"chimera/client"
)

// This file owns the verb ps.

func psCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "ps", Short: "Show a daemon's models and load", Args: operands(),
		Long: `Show the models that a running daemon knows, which is loaded and how many tokens its context holds; how many requests run and
wait; and how many pages, of 16 tokens, of its KV cache are in use.`,
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
		s, err := d.Status(ctx)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), s)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "MODEL\tLOADED\tCONTEXT")
		for _, m := range s.Models {
			fmt.Fprintf(w, "%s\t%v\t%d\n", client.VisibleLine(m.ID), m.Loaded, m.MaxContext)
		}
		fmt.Fprintf(w, "\n%d running, %d waiting, %d of %d KV pages in use\n", s.Running, s.Waiting, s.PagesUsed, s.PagesTotal)
		return w.Flush()
	}
	return c
}
