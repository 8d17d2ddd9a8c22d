package main

import (
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"chimera/bench"
)

// This file owns the verb bench serve.

// mostRequests is far beyond what one machine sends and keeps the figures of.
const mostRequests = 1_000_000

func benchServeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "serve", Short: "Measure a server under load", Args: operands(),
		Long: `Send completions to any OpenAI-compatible server and report time to first token, time between tokens, requests and
tokens per second as the clients see them. With --rate requests arrive at random at that rate (open loop); without it
each client sends its next request when the last is answered (closed loop). Prompts are common words, no two alike unless
--repeat or --shared-words says otherwise; answers have all their tokens, whatever the model thinks of it. Ctrl+C ends it.`,
		Example: "  chimera bench serve --clients 8 --requests 64\n  chimera bench serve --server http://127.0.0.1:8080 --rate 2 --json\n  chimera bench serve --repeat 3 --clients 8 --header 'x-chimera-class: batch'",
	}
	generateLoad(c)
	return c
}

// generateLoad gives a verb the load generator's flags and has it send the load.
func generateLoad(c *cobra.Command) {
	l := bench.Load{Clients: 1, Requests: 16, Prompt: 128, Tokens: 64, Seed: 1}
	header := http.Header{}
	var asJSON bool
	address := serverFlag(c)
	numberFlag(c.Flags(), &l.Clients, "clients", 1, mostRequests, "clients of the closed loop")
	numberFlag(c.Flags(), &l.Rate, "rate", 0, mostRequests, "requests per second of the open loop; 0: the closed loop")
	numberFlag(c.Flags(), &l.Requests, "requests", 1, mostRequests, "requests that are counted")
	numberFlag(c.Flags(), &l.WarmUp, "warm-up", 0, mostRequests, "requests more before those, and after them until the last is answered, which are not counted; unless given, one for each client of the closed loop")
	numberFlag(c.Flags(), &l.Prompt, "prompt-words", 1, mostTokens, "words of each prompt")
	numberFlag(c.Flags(), &l.Shared, "shared-words", 0, mostTokens, "words that come before those and are the same in all prompts, as of a system prompt")
	numberFlag(c.Flags(), &l.Repeat, "repeat", 0, mostRequests, "how many prompts there are, sent in turn; 0: no two alike")
	numberFlag(c.Flags(), &l.Tokens, "tokens", 1, mostTokens, "tokens of each answer")
	c.Flags().StringVar(&l.Model, "model", "", "`name` of the model; empty: the server's default")
	c.Flags().Var((*headerFlag)(&header), "header", "field that each request has, as 'x-chimera-class: batch' or 'authorization: Bearer KEY' (may be repeated)")
	numberFlag(c.Flags(), &l.Seed, "seed", 0, math.MaxUint64, "chooses prompts and arrivals")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !c.Flags().Changed("warm-up") && l.Rate == 0 {
			l.WarmUp = l.Clients
		}
		d, err := server(c, "server", *address)
		if err != nil {
			return err
		}
		d.Header = header
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
}

// headerFlag is fields of a request's head.
type headerFlag http.Header

func (h *headerFlag) String() string { return "" }

// Type is what --help calls the value.
func (h *headerFlag) Type() string { return "field" }

// Set implements pflag.Value: each time there is one field more.
func (h *headerFlag) Set(text string) error {
	name, value, found := strings.Cut(text, ":")
	value = strings.TrimSpace(value)
	if !found || !isToken(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("use NAME: VALUE on one line, such as 'x-chimera-class: batch'")
	}
	http.Header(*h).Add(name, value)
	return nil
}

// isToken tells whether a name may stand in a head.
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}
