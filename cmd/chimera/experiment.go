package main

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"chimera/client"
)

// This file owns the verb experiment: what other settings would do on the machine of a running daemon.

func experimentCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "experiment", Short: "Measure what other settings of a daemon would do",
		Long: `Measure what other settings of a running daemon would do to throughput, latency and quality, each against what is, and what lost quality is due to:
by replay of what clients asked, on the daemon's machine, while nobody is served (docs/EXPERIMENTS.md). The report says what follows.`,
		Example: "  chimera experiment run --factor tier --factor hotness\n  chimera experiment list\n  chimera experiment show tier",
		Args:    operands(), RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(experimentRunCommand(), experimentListCommand(), experimentShowCommand())
	return c
}

func experimentRunCommand() *cobra.Command {
	var ask client.ExperimentAsk
	var asJSON bool
	c := &cobra.Command{
		Use: "run", Short: "Measure now, or as soon as nobody is served", Args: operands(),
		Long: `Measure factors, all without --factor, and wait for it. Each block of measurements begins when nobody has been served for a second, and is given up
when somebody comes. With --now it is measured beside clients, who wait about twice as long meanwhile, and whose requests are in the figures.
Ctrl-C ends it; what was measured by then is kept. The model is loaded twice more for that. It is for root and the daemon's user, over the
Unix socket. Factors: hotness, batching, prefixes, door, tier, kv_type, huge_pages, escalation, causes.`,
		Example: "  chimera experiment run\n  chimera experiment run --factor tier --for 2m\n  chimera experiment run --model small --factor causes",
	}
	address := serverFlag(c)
	c.Flags().StringVar(&ask.Model, "model", "", "`name` of the model; without it the daemon's first")
	c.Flags().StringArrayVar(&ask.Factors, "factor", nil, "`factor` to measure (may be repeated); without it all")
	c.Flags().StringVar(&ask.For, "for", "", "`time` that all together may take while nobody is served, such as 2m; without it 10m")
	c.Flags().BoolVar(&ask.Now, "now", false, "measure beside clients, at their cost")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := interruptible(c)
		defer cancel()
		d, err := server(c, "server", *address)
		if err != nil {
			return err
		}
		text, err := d.RunExperiments(ctx, ask)
		if err != nil {
			return err
		}
		if asJSON {
			value := jsontext.Value(text)
			return printJSON(c.OutOrStdout(), &value)
		}
		e, err := client.ParseExperiments(text)
		if err != nil {
			return err
		}
		return e.Print(c.OutOrStdout())
	}
	return c
}

func experimentListCommand() *cobra.Command {
	return view(&cobra.Command{
		Use: "list", Short: "Show what was measured", Args: operands(),
		Long: `Show the newest experiment on each change, with when it was measured, and the one under way. --json prints what GET /v1/experiments says. It is for
root and the daemon's user, over the Unix socket.`,
		Example: "  chimera experiment list\n  chimera experiment list --json",
	}, (*client.Client).Experiments, client.ParseExperiments)
}

func experimentShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show FACTOR", Short: "Show all that was measured of a factor", Args: operands("FACTOR"),
		Long: `Show all measures of the newest experiments on a factor, as experiment list names it, with their intervals and how they were measured; of cause,
what each factor alone gives back of lost quality. It is for root and the daemon's user, over the Unix socket.`,
		Example: "  chimera experiment show tier\n  chimera experiment show cause",
	}
	address := serverFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, cancel := interruptible(c)
		defer cancel()
		d, err := server(c, "server", *address)
		if err != nil {
			return err
		}
		text, err := d.Experiments(ctx)
		if err != nil {
			return err
		}
		all, err := client.ParseExperiments(text)
		if err != nil {
			return err
		}
		of := all.Of(args[0]).Experiments
		if len(of) == 0 {
			return fmt.Errorf("no experiment on %s: there are %s", client.VisibleLine(args[0]), client.VisibleLine(strings.Join(all.Names(), ", ")))
		}
		for i, x := range of {
			if i > 0 {
				fmt.Fprintln(c.OutOrStdout())
			}
			if err := x.Print(c.OutOrStdout()); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}
