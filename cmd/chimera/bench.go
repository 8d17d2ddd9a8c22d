package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"chimera/bench"
	"chimera/client"
)

// This file owns the verb bench.

func benchCommand() *cobra.Command {
	l := bench.Load{}
	var asJSON bool
	c := &cobra.Command{
		Use: "bench", Short: "Measure a server under load, or this machine's memory", Args: cobra.NoArgs,
		Long: `Send completions to any OpenAI-compatible server and report time to first token, time between tokens, requests and
tokens per second as the clients see them. With --rate requests arrive at random at that rate (open loop); without it
each client sends its next request when the last is answered (closed loop).`,
		Example: "  chimera bench --clients 8 --requests 64\n  chimera bench --server http://127.0.0.1:8080 --rate 2 --json",
	}
	c.AddCommand(benchMemoryCommand())
	server := serverFlags(c)
	c.Flags().IntVar(&l.Clients, "clients", 1, "clients of the closed loop")
	c.Flags().Float64Var(&l.Rate, "rate", 0, "requests per second of the open loop")
	c.Flags().IntVar(&l.Requests, "requests", 16, "requests in all")
	c.Flags().IntVar(&l.Prompt, "prompt-words", 128, "words of each prompt")
	c.Flags().IntVar(&l.Tokens, "tokens", 64, "tokens of each answer")
	c.Flags().StringVar(&l.Model, "model", "", "name of the model; empty: the server's default")
	c.Flags().Uint64Var(&l.Seed, "seed", 1, "chooses prompts and arrivals")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := l.Check(); err != nil {
			return usageError{err}
		}
		ctx, cancel := interruptible(c)
		defer cancel()
		r, err := bench.Run(ctx, client.New(serverAddress(c, *server)), l)
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
