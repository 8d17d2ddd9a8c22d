package main

import (
	"strings"

	"github.com/spf13/cobra"

	"chimera/client"
)

// This file owns the verb tier: at which quantisation tier a running daemon serves its models.

func tierCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "tier", Short: "Show and choose the quantisation tier that a daemon serves a model at",
		Long: `Show at which quantisation tier a running daemon serves its models, and choose another. The new weights are made of the model's file beside
those that answer: no request is lost, none waits where both fit into memory, and each answer keeps its tier to the end (docs/TIERS.md).`,
		Example: "  chimera tier list\n  chimera tier set q4_k --for 2h\n  chimera tier auto\n  chimera tier rm q2_k",
		Args:    operands(), RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(tierListCommand(), tierSetCommand(), tierAutoCommand(), tierRemoveCommand())
	return c
}

func tierListCommand() *cobra.Command {
	return view(&cobra.Command{
		Use: "list", Short: "Show each model's tiers", Args: operands(),
		Long: `Show each model's tiers from its source down: which one answers (*), what the weights of each take, in memory and kept on
disk, what was measured of it; and the last steps from tier to tier, with their reasons. --json prints what GET /v1/tiers says.`,
		Example: "  chimera tier list\n  chimera tier list --json",
	}, (*client.Client).Tiers, client.ParseTiers)
}

func tierSetCommand() *cobra.Command {
	var stays string
	c := &cobra.Command{
		Use: "set TIER", Short: "Have a daemon serve a model at a tier", Args: operands("TIER"),
		Long: `Have a running daemon serve a model at a tier, and wait until it does. Without --model it is the daemon's first. A model that is not loaded will
be loaded at it. It is for root and the daemon's user, over the Unix socket.`,
		Example: "  chimera tier set q8_0\n  chimera tier set q4_k --model small --for 2h",
	}
	c.Flags().StringVar(&stays, "for", "", "`time` after which the settings choose again, such as 2h; without it the tier stays until another is chosen")
	return changeTier(c, func(args []string) (tier, staysFor string) { return args[0], stays })
}

func tierAutoCommand() *cobra.Command {
	return changeTier(&cobra.Command{
		Use: "auto", Short: "Have a daemon choose a model's tier by its settings again", Args: operands(),
		Long: `Have a running daemon choose a model's tier by its settings again, after tier set. Without --model it is the daemon's first. It is for root and
the daemon's user, over the Unix socket.`,
		Example: "  chimera tier auto",
	}, func([]string) (tier, staysFor string) { return "auto", "" })
}

// changeTier completes a verb that asks for a tier, and shows what came of it.
func changeTier(c *cobra.Command, asked func(args []string) (tier, staysFor string)) *cobra.Command {
	address := serverFlag(c)
	model := c.Flags().String("model", "", "`name` of the model; without it the daemon's first")
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, cancel := interruptible(c)
		defer cancel()
		d, err := server(c, "server", *address)
		if err != nil {
			return err
		}
		tier, stays := asked(args)
		now, err := d.SetTier(ctx, *model, tier, stays)
		if err != nil {
			return err
		}
		return now.Print(c.OutOrStdout())
	}
	return c
}

func tierRemoveCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "rm TIER | --all", Short: "Remove what a daemon keeps of a tier on disk", Args: func(c *cobra.Command, args []string) error {
			if all {
				return operands()(c, args)
			}
			return operands("TIER")(c, args)
		},
		Long: `Remove what a running daemon keeps of a model's tier on disk, or with --all of all tiers of all models, those too whose model is gone. Without --model it is
the daemon's first. What is served is in memory and goes on; the next time that the tier is asked for it is made anew. It is for root and the
daemon's user, over the Unix socket.`,
		Example: "  chimera tier rm q2_k\n  chimera tier rm --all",
	}
	address := serverFlag(c)
	model := c.Flags().String("model", "", "`name` of the model; without it the daemon's first")
	c.Flags().BoolVar(&all, "all", false, "all tiers of all models")
	c.MarkFlagsMutuallyExclusive("all", "model")
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, cancel := interruptible(c)
		defer cancel()
		d, err := server(c, "server", *address)
		if err != nil {
			return err
		}
		removed, err := d.RemoveTiers(ctx, *model, strings.Join(args, ""))
		if err != nil {
			return err
		}
		return removed.Print(c.OutOrStdout())
	}
	return c
}
