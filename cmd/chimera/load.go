package main

import (
	"context"

	"github.com/spf13/cobra"

	"chimera/client"
)

// This file owns the verbs load and unload.

func loadCommand() *cobra.Command {
	return modelVerb((*client.Client).Load, &cobra.Command{
		Use: "load NAME", Short: "Have a daemon load a model", Args: operands("NAME"),
		Long: `Have a running daemon load one of its models, and wait until it is there. Others that nobody uses are unloaded where their memory is
needed. It is for root and the daemon's user, over the Unix socket.`,
		Example: "  chimera load small\n  chimera ps",
	})
}

func unloadCommand() *cobra.Command {
	return modelVerb((*client.Client).Unload, &cobra.Command{
		Use: "unload NAME", Short: "Have a daemon unload a model", Args: operands("NAME"),
		Long: `Have a running daemon let a model's requests end and unload it, and wait for that. Who asks for it later has it loaded again. It is
for root and the daemon's user, over the Unix socket.`,
		Example: "  chimera unload small\n  chimera ps",
	})
}

// modelVerb asks the daemon for one thing about a model. There is nothing to print: it is done, or an error says why not.
func modelVerb(ask func(d *client.Client, ctx context.Context, name string) error, c *cobra.Command) *cobra.Command {
	address := serverFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, cancel := interruptible(c)
		defer cancel()
		d, err := server(c, "server", *address)
		if err != nil {
			return err
		}
		return ask(d, ctx, args[0])
	}
	return c
}
