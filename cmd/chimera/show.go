package main

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"chimera/daemon"
)

// This file owns the verb show, and how metadata is printed.

func showCommand() *cobra.Command {
	var tensors, sums, plan, asJSON bool
	c := &cobra.Command{
		Use: "show MODEL", Short: "Show what a model file holds and how it would be run", Args: operands("MODEL"),
		Long: `Show a summary of a model file, then its metadata, a key a line. With --tensors also each tensor's type and shape, with
--sha256 the checksum of its values, with --plan the phases of a step with the bytes they read and their multiply-accumulates, and the
memory that serving it would take; --threads and the like are what the plan is for. In JSON, bytes that are not UTF-8 are U+FFFD, and
numbers that JSON does not have the strings NaN, Infinity and -Infinity.`,
		Example: "  chimera show m.gguf\n  chimera show m.gguf --tensors\n  chimera show m.gguf --plan --json",
	}
	config := engineConfig(c)
	c.Flags().BoolVar(&tensors, "tensors", false, "list the tensors")
	c.Flags().BoolVar(&sums, "sha256", false, "list the tensors with the SHA-256 of their values as float32; reads the whole file")
	c.Flags().BoolVar(&plan, "plan", false, "show the phases of a step and the memory it takes")
	c.Flags().BoolVar(&asJSON, "json", false, "print all as JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, refusal, err := daemon.Inspect(args[0], config, sums)
		if err != nil {
			return err
		}
		if plan && refusal != nil {
			return refusal
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), s)
		}
		if err := printSummary(c.OutOrStdout(), s.Summary, refusal); err != nil {
			return err
		}
		return printInspection(c.OutOrStdout(), s, tensors || sums, plan)
	}
	return c
}

func printInspection(w io.Writer, s *daemon.Inspection, tensors, plan bool) error {
	for _, key := range s.Keys {
		fmt.Fprintf(w, "%s = %s\n", visible(key), preview(s.Metadata[key]))
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if tensors {
		head := "TENSOR\tTYPE\tSHAPE"
		if len(s.Tensors) > 0 && s.Tensors[0].SHA256 != "" {
			head += "\tSHA256"
		}
		fmt.Fprintf(t, "\n%s\n", head)
		for _, row := range s.Tensors {
			fmt.Fprintln(t, strings.TrimRight(fmt.Sprintf("%s\t%s\t%d\t%s", visible(row.Name), row.Type, row.Shape, row.SHA256), "\t"))
		}
	}
	if plan {
		fmt.Fprintf(t, "\nPHASE\tKERNEL\tCHUNK\tBYTES\tMACS\n")
		for _, p := range s.Plan.Phases {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\n", p.Name, p.Kernel, p.Chunks, p.ReadBytes, p.MACs)
		}
		fmt.Fprintf(t, "\nGROUP\tLAYERS\tPAGES\tPAGE BYTES\tBYTES\n")
		for _, g := range s.Plan.Groups {
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\n", g.Name, g.Layers, g.Pages, g.PageBytes, int64(g.Pages)*g.PageBytes)
		}
		fmt.Fprintf(t, "\nmemory: weights %d, KV %d, activations %d, batch %d bytes\n", s.Plan.WeightBytes, s.Plan.KVBytes, s.Plan.ActBytes, s.Plan.BatchBytes)
	}
	return t.Flush()
}

// previewRunes is how much of a value is shown.
const previewRunes = 120

// visible escapes control characters, which a terminal would obey, and what is no UTF-8: a key stays in its line, and a name
// in its place of the table.
func visible(text string) string {
	quoted := strconv.QuoteToGraphic(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// preview shortens a value to a line.
func preview(v any) string {
	list := reflect.ValueOf(v)
	if list.Kind() == reflect.Slice && list.Len() > 8 {
		return fmt.Sprintf("[%d values]", list.Len())
	}
	text := []rune(visible(fmt.Sprint(v)))
	if len(text) > previewRunes {
		return string(text[:previewRunes]) + "..."
	}
	return string(text)
}
