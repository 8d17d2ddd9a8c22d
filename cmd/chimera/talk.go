package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"chimera/client"
	"chimera/paths"
)

// This file owns the verbs that talk to a daemon: run, chat, ps.

// talkFlags are what run and chat share.
type talkFlags struct {
	server        *string
	model, system string
	maxTokens     int
	temperature   float64
	seed          int64
}

func (t *talkFlags) bind(c *cobra.Command) {
	t.server = serverFlags(c)
	c.Flags().StringVar(&t.model, "model", "", "name of the model; empty: the daemon's first")
	c.Flags().StringVar(&t.system, "system", "", "system message")
	c.Flags().IntVar(&t.maxTokens, "max-tokens", 0, "longest answer in tokens; 0: what the context holds")
	c.Flags().Float64Var(&t.temperature, "temperature", 1, "0 takes the likeliest token each time; unless given, the daemon chooses")
	c.Flags().Int64Var(&t.seed, "seed", 0, "makes sampling repeatable; unless given, each answer is another")
}

func (t *talkFlags) options(c *cobra.Command) client.Options {
	o := client.Options{Model: t.model}
	if c.Flags().Changed("max-tokens") && t.maxTokens > 0 {
		o.MaxTokens = &t.maxTokens
	}
	if c.Flags().Changed("temperature") {
		o.Temperature = &t.temperature
	}
	if c.Flags().Changed("seed") {
		o.Seed = &t.seed
	}
	return o
}

func (t *talkFlags) client(c *cobra.Command) *client.Client {
	return client.New(serverAddress(c, *t.server))
}

func runCommand() *cobra.Command {
	var t talkFlags
	c := &cobra.Command{
		Use: "run PROMPT", Short: "Ask a running daemon one question",
		Long:    "Send one prompt, print the answer as it comes, then the time to the first token and tokens/s on standard error. Without PROMPT it is read from standard input.",
		Example: "  chimera run \"What is the capital city of France?\"\n  git diff | chimera run --system \"Write a commit message.\"",
	}
	t.bind(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		prompt := strings.Join(args, " ")
		if prompt == "" && !isTerminal(c.InOrStdin()) {
			text, err := io.ReadAll(c.InOrStdin())
			if err != nil {
				return err
			}
			prompt = string(text)
		}
		if strings.TrimSpace(prompt) == "" {
			return usageError{errors.New("there is no prompt: give one, or send it to standard input")}
		}
		messages := []client.Message{{Role: "user", Content: prompt}}
		if t.system != "" {
			messages = append([]client.Message{{Role: "system", Content: t.system}}, messages...)
		}
		ctx, cancel := interruptible(c)
		defer cancel()
		stats, err := t.client(c).Chat(ctx, messages, t.options(c), func(text string) { io.WriteString(c.OutOrStdout(), text) })
		if stats.TTFT > 0 {
			fmt.Fprintln(c.OutOrStdout())
		}
		if err == nil {
			fmt.Fprintln(c.ErrOrStderr(), stats)
		}
		return err
	}
	return c
}

func chatCommand() *cobra.Command {
	var t talkFlags
	c := &cobra.Command{
		Use: "chat", Short: "Talk with a model", Args: cobra.NoArgs,
		Long: `Talk with a model in the terminal: Enter sends, Alt+Enter or Ctrl+J makes a new line, Up and Down walk through what
you sent, Ctrl+C stops an answer, Ctrl+D or /bye ends, /clear forgets the conversation. What you send is kept for the next time in
chimera/chat_history in $XDG_STATE_HOME, by default ~/.local/state. Without a terminal each line of
standard input is a turn.`,
		Example: "  chimera chat --system \"You are terse.\"\n  printf 'Hello\\nAnd now in French\\n' | chimera chat --temperature 0",
	}
	t.bind(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if isTerminal(c.InOrStdin()) && isTerminal(c.OutOrStdout()) {
			return client.Conversation(c.Context(), t.client(c), t.options(c), t.system, historyPath())
		}
		ctx, cancel := interruptible(c)
		defer cancel()
		return client.Pipe(ctx, t.client(c), t.options(c), t.system, c.InOrStdin(), c.OutOrStdout())
	}
	return c
}

// historyPath is where chat keeps what the user sends; empty where there is no place for it.
func historyPath() string {
	if state := paths.State(); state != "" {
		return filepath.Join(state, "chat_history")
	}
	return ""
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func psCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "ps", Short: "Show a daemon's models and load", Args: cobra.NoArgs,
		Long:    "Show what a running daemon is doing: the models that it knows and which is loaded, or how far; how many requests run and wait; how much of its KV cache is in use; its memory by purpose and the health of its GPUs. --json prints all that GET /v1/status says.",
		Example: "  chimera ps\n  chimera ps --server 127.0.0.1:8080 --json",
	}
	server := serverFlags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := interruptible(c)
		defer cancel()
		text, err := client.New(serverAddress(c, *server)).Status(ctx)
		if err != nil {
			return err
		}
		if asJSON {
			value := jsontext.Value(text)
			return printJSON(c.OutOrStdout(), &value)
		}
		s, err := client.ParseStatus(text)
		if err != nil {
			return err
		}
		return s.Print(c.OutOrStdout())
	}
	return c
}
