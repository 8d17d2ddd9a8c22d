package main

import (
	"context"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"chimera/client"
)

// This file owns what verbs have in common that show an answer of a running daemon: as a table, or with --json as it came.

// view completes the verb: fetch asks the daemon, and parse reads the answer into what prints itself.
func view[T interface{ Print(io.Writer) error }](c *cobra.Command, fetch func(*client.Client, context.Context) ([]byte, error), parse func([]byte) (T, error)) *cobra.Command {
	var asJSON bool
	address := serverFlag(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := interruptible(c)
		defer cancel()
		d, err := server(c, "server", *address)
		if err != nil {
			return err
		}
		text, err := fetch(d, ctx)
		if err != nil {
			return err
		}
		if asJSON {
			value := jsontext.Value(text)
			return printJSON(c.OutOrStdout(), &value)
		}
		answer, err := parse(text)
		if err != nil {
			return err
		}
		return answer.Print(c.OutOrStdout())
	}
	return c
}
