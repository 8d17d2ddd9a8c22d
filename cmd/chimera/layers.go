package main

import (
	"github.com/spf13/cobra"

	"chimera/daemon"
	"chimera/quality/suites"
)

// This file owns the verb layers.

func layersCommand() *cobra.Command {
	var name string
	var asJSON bool
	c := &cobra.Command{
		Use: "layers --model MODEL --tier TIER --suite SUITE", Short: "Show layer by layer what a tier loses", Args: operands(),
		Long: `Read the references of a suite's items, each behind its question, with a model as its file has it and at a quantisation tier, and compare
the two behind each layer: how far the states are apart, by the source's length; and what the last norm and the head make of these states, as if the layers
behind were left out (the logit lens): the Kullback-Leibler divergence of the tier's expectation from the source's, in nats, and how often both have the
same likeliest token. The last layer's is what the model answers with. 1,000 tokens are read. It takes memory for both tiers. No daemon is
needed. docs/TIERS.md says how to read the table.`,
		Example: "  chimera layers --model m-f16.gguf --tier q4_k --suite qa\n  chimera layers --model m-f16.gguf --tier q2_k --suite suite.jsonl --json",
	}
	config := engineConfig(c)
	model := modelFlag(c)
	c.Flags().StringVar(&name, "suite", "", "`file` of the suite whose references are read, or one that comes with the program")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	_ = c.MarkFlagRequired("suite")
	_ = c.MarkFlagRequired("tier")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := suites.Open(name)
		if err != nil {
			return err
		}
		ctx, cancel := interruptible(c)
		defer cancel()
		set, wait := bar(c.ErrOrStderr(), "layers")
		l, err := daemon.CompareLayers(ctx, config, daemon.LayersRequest{Model: *model, Suite: s, Progress: set})
		wait()
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), l)
		}
		return l.Print(c.OutOrStdout())
	}
	return c
}
