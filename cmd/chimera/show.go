package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"chimera/daemon"
	"chimera/engine"
	"chimera/weights"
)

// shownTensor is one tensor of show --json.
type shownTensor struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Shape  []uint64 `json:"shape"` // ne0 first
	SHA256 string   `json:"sha256,omitempty"`
}

// shown is show --json.
type shown struct {
	Metadata map[string]any `json:"metadata"`
	Tensors  []shownTensor  `json:"tensors"`
	Plan     *engine.Plan   `json:"plan"`
}

func showCommand() *cobra.Command {
	var tensors, sums, plan, asJSON bool
	c := &cobra.Command{
		Use: "show F", Short: "Show what a model file holds and how it would be run", Args: cobra.ExactArgs(1),
		Long:    "Show metadata; with --tensors each tensor's type and shape, with --sha256 the checksum of its float32 values, with --plan the phases of a step with the bytes they read and their multiply-accumulates.",
		Example: "  chimera show m.gguf --tensors\n  chimera show m.gguf --plan --json",
	}
	config := engineConfig(c)
	c.Flags().BoolVar(&tensors, "tensors", false, "list the tensors")
	c.Flags().BoolVar(&sums, "sha256", false, "list the tensors with the SHA-256 of their float32 values")
	c.Flags().BoolVar(&plan, "plan", false, "show the plan")
	c.Flags().BoolVar(&asJSON, "json", false, "print all as JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		f, err := daemon.OpenFile(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		s, err := collect(f, config, sums, plan || asJSON)
		var unsupported *engine.UnsupportedError
		if err != nil && (plan || !errors.As(err, &unsupported)) {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), s)
		}
		return s.print(c.OutOrStdout(), f.Metadata(), tensors || sums, plan)
	}
	return c
}

// collect gathers what is shown. An architecture that can't be run has no plan, and gives the error
// beside the rest.
func collect(f *weights.File, config *daemon.Config, sums, plan bool) (s shown, err error) {
	s = shown{Metadata: map[string]any{}, Tensors: []shownTensor{}}
	for _, key := range f.Metadata().Keys() {
		v, _ := f.Metadata().Get(key)
		s.Metadata[key] = v.Any
	}
	for _, t := range f.Tensors() {
		row := shownTensor{Name: t.Name, Type: t.Type.String(), Shape: t.Shape}
		if sums {
			if row.SHA256, err = daemon.TensorSHA256(t); err != nil {
				return s, fmt.Errorf("%s: tensor %s: %w: %w", f.Name(), t.Name, err, engine.ErrModelFile)
			}
		}
		s.Tensors = append(s.Tensors, row)
	}
	if plan {
		s.Plan, err = daemon.PlanFile(f, config)
	}
	return s, err
}

func (s shown) print(w io.Writer, m *weights.Metadata, tensors, plan bool) error {
	for _, key := range m.Keys() {
		fmt.Fprintf(w, "%s = %s\n", key, preview(s.Metadata[key]))
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if tensors {
		fmt.Fprintf(t, "\nTENSOR\tTYPE\tSHAPE\tSHA256\n")
		for _, row := range s.Tensors {
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", row.Name, row.Type, row.Shape, row.SHA256)
		}
	}
	if plan && s.Plan != nil {
		fmt.Fprintf(t, "\nPHASE\tKERNEL\tCHUNK\tBYTES\tMACS\n")
		for _, p := range s.Plan.Phases {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\n", p.Name, p.Kernel, p.Chunks, p.ReadBytes, p.MACs)
		}
		fmt.Fprintf(t, "\nmemory: weights %d, KV %d, activations %d, batch %d bytes\n", s.Plan.WeightBytes, s.Plan.KVBytes, s.Plan.ActBytes, s.Plan.BatchBytes)
	}
	return t.Flush()
}

// preview shortens a value to a line.
func preview(v any) string {
	const most = 120
	text := strings.ReplaceAll(fmt.Sprintf("%.2000v", v), "\n", "\\n")
	if n := arrayLength(v); n > 8 {
		return fmt.Sprintf("[%d values]", n)
	}
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

func arrayLength(v any) int {
	switch list := v.(type) {
	case []string:
		return len(list)
	case []int64:
		return len(list)
	case []uint64:
		return len(list)
	case []float64:
		return len(list)
	case []bool:
		return len(list)
	}
	return 0
}
