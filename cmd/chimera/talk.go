package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"chimera/client"
	"chimera/paths"
)

// This file owns the verbs that talk with a model: run and chat.

// What any daemon may take: it knows its own limits better.
const (
	mostTokens      = 1 << 24
	mostTemperature = 100
)

// pipePatience is how long run and chat wait for a model to be loaded where nobody sees them wait; on a
// terminal they wait until Ctrl+C.
const (
	pipePatience     = time.Minute
	terminalPatience = 24 * time.Hour
)

// talkFlags are what run and chat share.
type talkFlags struct {
	server        *string
	model, system string
	maxTokens     int
	temperature   float64
	seed          seed
}

func (t *talkFlags) bind(c *cobra.Command) {
	t.server = serverFlag(c)
	c.Flags().StringVar(&t.model, "model", "", "`name` of the model, as 'chimera ps' lists them; empty: the one that is loaded")
	c.Flags().StringVar(&t.system, "system", "", "`text` of the system message; empty: none")
	numberFlag(c.Flags(), &t.maxTokens, "max-tokens", 0, mostTokens, "longest answer in tokens; 0: what the context holds")
	numberFlag(c.Flags(), &t.temperature, "temperature", 0, mostTemperature, "how far to stray from the likeliest token, which 0 takes each time; unless given, the daemon chooses")
	c.Flags().Var(&t.seed, "seed", "makes an answer repeatable, any whole number of 64 bits but -1, with which, as unless given, each answer is another")
}

func (t *talkFlags) options(c *cobra.Command) client.Options {
	o := client.Options{Model: t.model}
	if c.Flags().Changed("max-tokens") && t.maxTokens > 0 {
		o.MaxTokens = &t.maxTokens
	}
	if c.Flags().Changed("temperature") {
		o.Temperature = &t.temperature
	}
	if t.seed != "" {
		o.Seed = jsontext.Value(t.seed)
	}
	return o
}

// client waits for a daemon that loads, with a line of progress where standard error is a terminal.
func (t *talkFlags) client(c *cobra.Command) (*client.Client, error) {
	d, err := server(c, "server", *t.server)
	if err == nil {
		waitForLoading(c, d)
	}
	return d, err
}

// waitForLoading has a client wait for a daemon that loads, as long as its user may see it wait.
func waitForLoading(c *cobra.Command, d *client.Client) {
	d.Loading.Limit = pipePatience
	if screen, ok := rawStream(c.ErrOrStderr()).(io.Writer); ok && isTerminal(screen) {
		d.Loading = client.Patience{
			Limit:  terminalPatience,
			Report: func(percent int) { fmt.Fprint(screen, eraseLine, client.LoadingLine(percent)) },
			Done:   func() { fmt.Fprint(screen, eraseLine) },
		}
	}
}

// eraseLine goes back to the line's beginning and clears it.
const eraseLine = "\r\x1b[K"

func runCommand() *cobra.Command {
	var t talkFlags
	c := &cobra.Command{
		Use: "run PROMPT...", Short: "Ask a running daemon one question",
		Long: `Send one prompt, the words of the command line or else all of standard input, and print the answer as it comes. Standard error
gets the time to the first token and the tokens per second. A daemon that still loads its model is waited for, a minute where
standard error is no terminal. Ctrl+C stops the answer.`,
		Example: "  chimera run \"What is the capital city of France?\"\n  git diff | chimera run --system \"Write a commit message.\"",
	}
	t.bind(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		prompt, err := promptOf(args, c.InOrStdin())
		if err != nil {
			return err
		}
		messages := []client.Message{{Role: "user", Content: prompt}}
		if t.system != "" {
			messages = append([]client.Message{{Role: "system", Content: t.system}}, messages...)
		}
		d, err := t.client(c)
		if err != nil {
			return err
		}
		ctx, cancel := interruptible(c)
		defer cancel()
		_, stats, err := d.Print(ctx, messages, t.options(c), c.OutOrStdout())
		if err == nil {
			fmt.Fprintln(c.ErrOrStderr(), stats)
		}
		return err
	}
	return c
}

// promptOf is the command line's words, or standard input where there are none.
func promptOf(args []string, stdin io.Reader) (string, error) {
	prompt := strings.Join(args, " ")
	if prompt == "" && !isTerminal(stdin) {
		text, err := io.ReadAll(stdin)
		if err != nil {
			return "", err
		}
		prompt = string(text)
	}
	if strings.TrimSpace(prompt) == "" {
		return "", misuse{errors.New("there is no prompt: give one, or send it to standard input")}
	}
	return prompt, nil
}

func chatCommand() *cobra.Command {
	var t talkFlags
	c := &cobra.Command{
		Use: "chat", Short: "Talk with a model", Args: operands(),
		Long: `Talk with a model in the terminal: Enter sends, Alt+Enter or Ctrl+J makes a new line, Up and Down walk through what
you sent, Ctrl+C stops an answer and, pressed again, the conversation, Ctrl+D or /bye ends it, /clear forgets it, /help lists what there is.
What came of an answer that was stopped or failed stays in the conversation. What you send is kept for the next time in
chimera/chat_history in $XDG_STATE_HOME, by default ~/.local/state. Without a terminal each line of standard input is a turn, answers
are written as they are, and the first error or Ctrl+C ends it.`,
		Example: "  chimera chat --system \"You are terse.\"\n  printf 'Hello\\nAnd now in French\\n' | chimera chat --temperature 0",
	}
	t.bind(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		d, err := t.client(c)
		if err != nil {
			return err
		}
		if isTerminal(c.InOrStdin()) && isTerminal(c.OutOrStdout()) {
			d.Loading.Limit = terminalPatience
			ctx, cancel := terminable(c)
			defer cancel()
			return client.Conversation(ctx, d, t.options(c), t.system, historyPath())
		}
		ctx, cancel := interruptible(c)
		defer cancel()
		return client.Pipe(ctx, d, t.options(c), t.system, input(c, "questions, a line each,"), c.OutOrStdout())
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
