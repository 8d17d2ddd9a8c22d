package main

import (
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"chimera/bench"
)

// This file owns the verb bench.

// mostRequests is far beyond what one machine sends and keeps the figures of.
const mostRequests = 1_000_000

func benchCommand() *cobra.Command {
	l := bench.Load{Clients: 1, Requests: 16, Prompt: 128, Tokens: 64, Seed: 1}
	var asJSON bool
	c := &cobra.Command{
		Use: "bench", Short: "Measure a server under load, or this machine's memory", Args: operands(),
		Long: `Send completions to any OpenAI-compatible server and report time to first token, time between tokens, requests and
tokens per second as the clients see them. With --rate requests arrive at random at that rate (open loop); without it
each client sends its next request when the last is answered (closed loop). Ctrl+C ends it; 'chimera bench memory' measures this machine.`,
		Example: "  chimera bench --clients 8 --requests 64\n  chimera bench --server http://127.0.0.1:8080 --rate 2 --json",
	}
	c.AddCommand(benchMemoryCommand())
	address := serverFlag(c)
	numberFlag(c.Flags(), &l.Clients, "clients", 1, mostRequests, "clients of the closed loop")
	numberFlag(c.Flags(), &l.Rate, "rate", 0, mostRequests, "requests per second of the open loop; 0: the closed loop")
	numberFlag(c.Flags(), &l.Requests, "requests", 1, mostRequests, "requests in all")
	numberFlag(c.Flags(), &l.Prompt, "prompt-words", 1, mostTokens, "words of each prompt")
	numberFlag(c.Flags(), &l.Tokens, "tokens", 1, mostTokens, "tokens of each answer")
	c.Flags().StringVar(&l.Model, "model", "", "`name` of the model; empty: the server's default")
	numberFlag(c.Flags(), &l.Seed, "seed", 0, math.MaxUint64, "chooses prompts and arrivals")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		d, err := server(c, *address)
		if err != nil {
			return err
		}
		ctx, cancel := interruptible(c)
		defer cancel()
		r, err := bench.Run(ctx, d, l)
		if r == nil {
			return err
		}
		if asJSON {
			if printErr := printJSON(c.OutOrStdout(), r); printErr != nil {
				return printErr
			}
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), r)
		return err
	}
	return c
}
