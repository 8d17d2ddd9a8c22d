package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"chimera/daemon"
)

// This file owns the verbs that compute on a model file: logits, perplexity.

func logitsCommand() *cobra.Command {
	var ids, positions string
	var r daemon.LogitsRequest
	c := &cobra.Command{
		Use: "logits --model MODEL (--ids IDS | --text TEXT) --out FILE", Short: "Write a prompt's raw logits", Args: operands(),
		Long: `Compute what a model expects behind a prompt, and write it to a file: a row for each position asked for, of one little-endian
float32 for each token of the vocabulary, nothing else. No BOS is added to --ids; --text is tokenised as by /v1/completions. No daemon is needed.`,
		Example: "  chimera logits --model m.gguf --ids 504,3575,282 --positions all --out rows.f32",
	}
	config := engineConfig(c)
	model := modelFlag(c)
	c.Flags().StringVar(&ids, "ids", "", "the prompt as token `ids`, separated by commas")
	c.Flags().StringVar(&r.Text, "text", "", "the prompt as `text`")
	c.Flags().StringVar(&positions, "positions", "last", "which `positions` get a row: last or all")
	c.Flags().StringVar(&r.Out, "out", "", "`file` to write; one that exists is replaced")
	c.MarkFlagsOneRequired("ids", "text")
	c.MarkFlagsMutuallyExclusive("ids", "text")
	_ = c.MarkFlagRequired("out")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if positions != "last" && positions != "all" {
			return usageError{fmt.Errorf("--positions %q: use last or all", positions)}
		}
		if c.Flags().Changed("ids") {
			if r.IDs, err = parseIDs(ids); err != nil {
				return usageError{err}
			}
		}
		r.Model, r.All = *model, positions == "all"
		ctx, cancel := interruptible(c)
		defer cancel()
		return daemon.Logits(ctx, config, r)
	}
	return c
}

func parseIDs(list string) (ids []int32, err error) {
	const use = "use numbers from 0, such as --ids 504,3575,282"
	for place := range strings.SplitSeq(list, ",") {
		fields := strings.Fields(place)
		if len(fields) == 0 {
			return nil, fmt.Errorf("--ids: an id is missing in %q: %s", list, use)
		}
		for _, field := range fields {
			id, err := strconv.ParseInt(field, 10, 32)
			if err != nil || id < 0 {
				return nil, fmt.Errorf("--ids: %q is no token id: %s", field, use)
			}
			ids = append(ids, int32(id))
		}
	}
	return ids, nil
}

// bar is a progress bar on standard error, from the first progress on: an error before it stands alone.
// Where standard error is no terminal there is none, so that logs hold no hundred lines of it.
func bar(w io.Writer, name string) (set func(done, total uint64), wait func()) {
	if !isTerminal(w) {
		return func(_, _ uint64) {}, func() {}
	}
	p := mpb.New(mpb.WithOutput(rawStream(w).(io.Writer)))
	var b *mpb.Bar
	set = func(done, total uint64) {
		if b == nil {
			b = p.AddBar(0, mpb.PrependDecorators(decor.Name(name+" ")), mpb.AppendDecorators(decor.Percentage(), decor.Name(" "), decor.AverageETA(decor.ET_STYLE_GO)))
		}
		b.SetTotal(int64(total), false)
		b.SetCurrent(int64(done))
	}
	return set, func() {
		if b != nil {
			b.SetTotal(-1, true) // whatever was reached is the end: Wait must not hang after an error
		}
		p.Wait()
	}
}

func perplexityCommand() *cobra.Command {
	var text string
	var asJSON, parseSpecial bool
	c := &cobra.Command{
		Use: "perplexity --model MODEL --text FILE", Short: "Measure how well a model predicts a text", Args: operands(),
		Long: `Measure perplexity, of which less is better: the text is cut into windows of --ctx tokens that do not overlap; the second half of
each window scores its tokens. The last partial window is dropped. What spells a special token, such as <|im_end|>, is plain text unless
--parse-special is given. Figures compare between models of one vocabulary, at one --ctx and on one text. No daemon is needed.`,
		Example: "  chimera perplexity --model m.gguf --text book.txt\n  chimera perplexity --model m.gguf --text - --ctx 256 --json < book.txt",
	}
	config := engineConfig(c)
	window := c.Flags().Lookup("ctx") // here it is the window, and 512 is what published figures use
	window.DefValue, window.Usage = "512", "tokens in a window"
	model := modelFlag(c)
	c.Flags().StringVar(&text, "text", "", "text `file`, - for standard input")
	c.Flags().BoolVar(&parseSpecial, "parse-special", false, "read special tokens in the text as such")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	_ = c.MarkFlagRequired("text")
	c.RunE = func(c *cobra.Command, _ []string) error {
		stdin := c.InOrStdin()
		if text == "-" {
			stdin = input(c, "text")
		}
		data, err := daemon.ReadAll(text, stdin)
		if err != nil {
			return err
		}
		set, wait := bar(c.ErrOrStderr(), "perplexity")
		r, err := daemon.Perplexity(config, daemon.PerplexityRequest{
			Model: *model, Text: data, ParseSpecial: parseSpecial, Progress: func(done, total int) { set(uint64(done), uint64(total)) },
		})
		wait()
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), r)
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "perplexity %.4f +- %.4f over %d windows\n", r.PPL, r.StdErr, r.Chunks)
		return err
	}
	return c
}
