package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"chimera/client"
	"chimera/loader"
)

// This file owns how the summary of a model file is printed.

// printSummary leaves a line out where the file does not state what would stand there.
func printSummary(out io.Writer, s loader.Summary, refusal error) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, line := range summaryLines(s) {
		if line.text != "" {
			fmt.Fprintf(w, "%s:\t%s\n", line.label, preview(line.text))
		}
	}
	if s.ChatProblem != "" {
		fmt.Fprintf(w, "chat is off:\t%s\n", client.VisibleLine(s.ChatProblem))
	}
	if refusal != nil {
		fmt.Fprintf(w, "not run here:\t%s\n", client.VisibleLine(message(refusal)))
	}
	fmt.Fprintln(w)
	return w.Flush()
}

type summaryLine struct{ label, text string }

func summaryLines(s loader.Summary) []summaryLine {
	templates := "none"
	if len(s.ChatTemplates) > 0 {
		templates = strings.Join(s.ChatTemplates, ", ")
	}
	return []summaryLine{
		{"name", s.Name}, {"architecture", s.Architecture}, {"parameters", count(s.Parameters)}, {"weights", typeMix(s)},
		{"file", size(s.FileBytes)}, {"context", tokens(s.Context)}, {"vocabulary", tokens(uint64(s.Vocabulary))}, {"tokenizer", s.Tokenizer},
		{"chat template", templates}, {"licence", s.License}, {"author", s.Author},
	}
}

// typeMix is each type with its share of the parameters.
func typeMix(s loader.Summary) string {
	var list []string
	for _, t := range s.Types {
		list = append(list, fmt.Sprintf("%s %.1f %% (%d tensors)", t.Type, 100*float64(t.Values)/float64(max(s.Parameters, 1)), t.Tensors))
	}
	return strings.Join(list, ", ")
}

// count is a number with the prefix that people use for it.
func count(n uint64) string {
	for _, unit := range []struct {
		name string
		size float64
	}{{"B", 1e9}, {"M", 1e6}, {"k", 1e3}} {
		if float64(n) >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(n)/unit.size, unit.name)
		}
	}
	return fmt.Sprint(n)
}

func size(bytes int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if bytes >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(bytes)/float64(unit.size), unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", bytes)
}

func tokens(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d tokens", n)
}
