package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"chimera/client"
)

// This file owns the verbs explain, forget and replay: what a daemon remembers of an answer.

func explainCommand() *cobra.Command {
	var id string
	c := &cobra.Command{
		Use: "explain ID", Short: "Show how an answer came about", Args: operands("ID"),
		Long: `Show the receipt of an answer: how long it waited and took, what of its prompt was cached, how its tokens were drawn, what it has
cost. ID is that of the completion, such as chatcmpl-0123456789abcdef0123456789abcdef. Texts are never shown. It is for the answer's
tenant, and for root and the daemon's user over the Unix socket. --json prints what GET /v1/receipts/ID says, which replay takes.`,
		Example: "  chimera explain chatcmpl-0123456789abcdef0123456789abcdef\n  chimera explain chatcmpl-0123456789abcdef0123456789abcdef --json >receipt.json",
		PreRun:  func(_ *cobra.Command, args []string) { id = args[0] },
	}
	explain := func(d *client.Client, ctx context.Context) ([]byte, error) { return d.Explain(ctx, id) }
	return view(c, explain, client.ParseReceipt)
}

func forgetCommand() *cobra.Command {
	var tenant bool
	c := &cobra.Command{
		Use: "forget ID", Short: "Have a daemon forget an answer, or a tenant", Args: operands("ID"),
		Long: `Have a running daemon delete all that it remembers of an answer, or with --tenant of the tenant of that name: receipts, texts, ratings,
and of a tenant the measurements and costs. It comes back when no byte of a text is left in the history, which is built anew for that. It is
for the answer's tenant, and for root and the daemon's user over the Unix socket.`,
		Example: "  chimera forget chatcmpl-0123456789abcdef0123456789abcdef\n  chimera forget --tenant evening",
	}
	address := serverFlag(c)
	c.Flags().BoolVar(&tenant, "tenant", false, "ID is the name of a [[tenant]]")
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, cancel := interruptible(c)
		defer cancel()
		d, err := server(c, "server", *address)
		if err != nil {
			return err
		}
		answer, name := args[0], ""
		if tenant {
			answer, name = "", args[0]
		}
		rows, err := d.Forget(ctx, answer, name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%d rows forgotten\n", rows)
		return err
	}
	return c
}

func replayCommand() *cobra.Command {
	var promptFile, receiptFile string
	c := &cobra.Command{
		Use: "replay ID", Short: "Have a daemon compute an answer again, and compare", Args: operands("ID"),
		Long: `Have a running daemon compute an answer again and say whether its tokens are the same, which they are with the same numerics id, on
another machine too: there --receipt gives what explain --json said on the first. The prompt is the one that was kept (privacy.store), or
--prompt-file: the request's JSON as it was sent, or the text that was the prompt of /v1/completions. If the tokens differ the exit code is 1.`,
		Example: "  chimera replay chatcmpl-0123456789abcdef0123456789abcdef --prompt-file request.json",
	}
	address := serverFlag(c)
	c.Flags().StringVar(&promptFile, "prompt-file", "", "`file` with the request as JSON, or with the prompt's text")
	c.Flags().StringVar(&receiptFile, "receipt", "", "`file` with the receipt, as explain --json prints it")
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, cancel := interruptible(c)
		defer cancel()
		d, err := server(c, "server", *address)
		if err != nil {
			return err
		}
		receipt, err := readReceipt(receiptFile, args[0])
		if err != nil {
			return err
		}
		request, err := readRequest(promptFile)
		if err != nil {
			return err
		}
		r, err := d.Replay(ctx, args[0], receipt, request)
		if err != nil {
			return err
		}
		return r.Print(c.OutOrStdout())
	}
	return c
}

// readReceipt reads a receipt, which must be that of the answer that is named.
func readReceipt(path, id string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := client.ParseReceipt(text)
	if err != nil {
		return nil, fmt.Errorf("%s is no receipt: %w", path, err)
	}
	if !strings.HasSuffix(id, r.ID) || r.ID == "" {
		return nil, fmt.Errorf("%s is the receipt of %s, not of %s", path, r.ID, id)
	}
	return text, nil
}

// readRequest reads a request's JSON; a file with anything else is a prompt.
func readRequest(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var request map[string]jsontext.Value
	if json.Unmarshal(text, &request) == nil && (request["prompt"] != nil || request["messages"] != nil) {
		return bytes.TrimSpace(text), nil
	}
	return json.Marshal(map[string]string{"prompt": string(text)})
}
