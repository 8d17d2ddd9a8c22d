package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"chimera/config"
)

// This file owns what stands on a command line besides flags, and what is said where it is not what the verb takes.

// misuse is a command line that lacks something or has too much: the user is shown what to type.
type misuse struct{ error }

// operands wants those named, no more and no less.
func operands(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return misuse{fmt.Errorf("%s is missing", names[len(args)])}
		case len(args) == len(names):
			return nil
		}
		return misuse{errors.New(surplus(c, args[len(names)], len(names)))}
	}
}

// surplus says of one too many what it may have been meant to be.
func surplus(c *cobra.Command, arg string, taken int) string {
	text := fmt.Sprintf("%q is one operand too many", arg)
	if taken == 0 {
		text = fmt.Sprintf("%q is not understood: '%s' takes flags alone", arg, c.CommandPath())
	}
	var verbs []string
	for _, v := range c.Commands() {
		verbs = append(verbs, v.Name())
	}
	if near := config.Near(arg, verbs); len(near) > 0 {
		return text + fmt.Sprintf("; did you mean '%s %s'?", c.CommandPath(), near[0])
	}
	if _, err := os.Stat(arg); c.Flags().Lookup("model") != nil && (err == nil || strings.HasSuffix(arg, ".gguf")) {
		return text + fmt.Sprintf("; did you mean --model %s?", arg)
	}
	return text
}

// whatToType is the verb's form and its first example.
func whatToType(c *cobra.Command) string {
	example, _, _ := strings.Cut(strings.TrimSpace(c.Example), "\n")
	return fmt.Sprintf("Usage:   %s\nExample: %s\n", c.UseLine(), example)
}
