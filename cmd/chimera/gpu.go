package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"chimera/client"
	"chimera/daemon"
)

func gpuCommand() *cobra.Command {
	var asJSON, local bool
	c := &cobra.Command{
		Use: "gpu", Short: "Show GPUs, their health and what is to be done", Args: operands(),
		Long: `Show what a running daemon knows of the machine's GPUs: a line for each with the verdict on its health and the reason:
serve, unknown (the driver does not tell), degrade (throttled: less is admitted), drain, restart or replace. A dash is a figure
that the GPU or its mode does not have. Where no daemon runs and none was named, the driver is read directly; such a look
knows no events before it. A machine or build without GPUs says so on standard error, exit code 0.`,
		Example: "  chimera gpu\n  chimera gpu --server 127.0.0.1:8080 --json\n  chimera gpu --local",
	}
	address := serverFlag(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&local, "local", false, "read the driver, even if a daemon runs")
	c.MarkFlagsMutuallyExclusive("server", "local")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := interruptible(c)
		defer cancel()
		text, err := gpuState(ctx, c, *address, local)
		if err != nil {
			return err
		}
		g, err := client.ParseGPUs(text)
		if err != nil {
			return err
		}
		if len(g.Devices) == 0 {
			fmt.Fprintln(c.ErrOrStderr(), "no GPUs:", g.Reason)
		} else if g.Events != "" {
			fmt.Fprintln(c.ErrOrStderr(), "no Xid errors are seen:", g.Events)
		}
		switch {
		case asJSON:
			value := jsontext.Value(text)
			return printJSON(c.OutOrStdout(), &value)
		case len(g.Devices) == 0:
			return nil
		}
		return g.Print(c.OutOrStdout())
	}
	return c
}

// gpuState asks the daemon; without one that was named, the driver.
func gpuState(ctx context.Context, c *cobra.Command, address string, local bool) ([]byte, error) {
	named := c.Flags().Changed("server") || os.Getenv(serverVariable) != ""
	if !local {
		d, err := server(c, "server", address)
		if err != nil {
			return nil, err
		}
		text, err := d.GPU(ctx)
		if named || !errors.Is(err, client.ErrNoDaemon) {
			return text, err
		}
	}
	return json.Marshal(daemon.GPUs(ctx), json.Deterministic(true))
}
