package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"chimera/daemon"
	"chimera/loader"
)

// This file owns the verbs that work on text: tokenize and template.

// maxLine bounds one line of tokenize's input.
const maxLine = 64 << 20

func tokenizeCommand() *cobra.Command {
	var addSpecial, parseSpecial, decode bool
	c := &cobra.Command{
		Use: "tokenize --model MODEL", Short: "Turn text into token ids, or back", Args: operands(),
		Long: `Read one JSON string a line from standard input and write one JSON array of token ids a line; with --decode read arrays and
write strings. No daemon is needed.`,
		Example: "  echo '\"Hello, world\"' | chimera tokenize --model m.gguf\n  echo '[504,3575,282]' | chimera tokenize --model m.gguf --decode",
	}
	model := modelFlag(c)
	c.Flags().BoolVar(&addSpecial, "add-special", false, "add BOS and EOS where the model wants them and the text has none")
	c.Flags().BoolVar(&parseSpecial, "parse-special", false, "read what looks like a special token, such as <|im_start|>, as one")
	c.Flags().BoolVar(&decode, "decode", false, "turn arrays of ids into strings")
	c.RunE = func(c *cobra.Command, _ []string) error {
		t, err := daemon.OpenTokenizer(*model)
		if err != nil {
			return err
		}
		return lines(input(c, "JSON, a value a line,"), c.OutOrStdout(), func(line []byte) (any, error) {
			if !decode {
				var text string
				if err := json.Unmarshal(line, &text); err != nil {
					return nil, fmt.Errorf("it must be a JSON string, such as \"Hello\": %w", err)
				}
				ids := t.Encode(text, false, parseSpecial)
				if addSpecial {
					ids = t.Around(ids)
				}
				return ids, nil
			}
			var ids []int32
			if err := json.Unmarshal(line, &ids); err != nil {
				return nil, fmt.Errorf("it must be a JSON array of token ids, such as [1,2]: %w", err)
			}
			for _, id := range ids {
				if id < 0 || int(id) >= t.VocabSize() {
					return nil, fmt.Errorf("id %d lies outside the vocabulary of %d", id, t.VocabSize())
				}
			}
			return t.Decode(ids, true), nil
		})
	}
	return c
}

// lines turns each line of in into a line of JSON.
func lines(in io.Reader, out io.Writer, f func([]byte) (any, error)) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, maxLine)
	w := bufio.NewWriter(out)
	for n := 1; scanner.Scan(); n++ {
		v, err := f(scanner.Bytes())
		if err != nil {
			return errors.Join(w.Flush(), fmt.Errorf("line %d: %w", n, err))
		}
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		w.Write(text)
		w.WriteByte('\n')
	}
	return errors.Join(w.Flush(), scanner.Err())
}

// input is standard input. Who sits at a terminal is told that it is waited for.
func input(c *cobra.Command, what string) io.Reader {
	if isTerminal(c.InOrStdin()) {
		fmt.Fprintf(c.ErrOrStderr(), "reading %s from standard input; Ctrl+D ends it\n", what)
	}
	return c.InOrStdin()
}

func templateCommand() *cobra.Command {
	var model, file string
	c := &cobra.Command{
		Use: "template (--model MODEL | --template NAME)", Short: "Render a chat template", Args: operands(),
		Long: `Render a chat template with the variables of a JSON object, which is read from standard input, and print exactly the text:
messages, add_generation_prompt, tools and what else the template reads. No daemon is needed.`,
		Example: `  echo '{"messages":[{"role":"user","content":"Hi"}],"add_generation_prompt":true}' | chimera template --model m.gguf`,
	}
	c.Flags().StringVar(&model, "model", "", "model `file`, or name of a cached model, whose own template to use")
	c.Flags().StringVar(&file, "template", "", "template `file`, or the name of a well-known one; a wrong name lists them")
	c.MarkFlagsOneRequired("model", "template")
	c.MarkFlagsMutuallyExclusive("model", "template")
	c.RunE = func(c *cobra.Command, _ []string) error {
		context, err := io.ReadAll(input(c, "a JSON object"))
		if err != nil {
			return err
		}
		text, err := loader.RenderTemplate(model, file, context)
		if err != nil {
			return err
		}
		_, err = io.WriteString(c.OutOrStdout(), text)
		return err
	}
	return c
}
