package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"chimera/weights"
)

// This file owns which files are written by the peer's quantiser, and how it is asked.

// quantised is a file of another type.
type quantised struct {
	name, source string
	as           string       // the peer's name of the type
	flags        []string     // how
	matrices     weights.Type // what all of them are to be, where pure; else the peer mixes types
	pure         bool
}

// random are the files of one type throughout: what a type costs, unmixed. The F16 that they come from is one of its own.
func random(source string) (all []quantised) {
	for _, t := range []weights.Type{
		weights.Q4_0, weights.Q4_1, weights.Q5_0, weights.Q5_1, weights.Q8_0, weights.Q2_K, weights.Q3_K, weights.Q4_K, weights.Q5_K, weights.Q6_K,
		weights.IQ4_XS, weights.IQ4_NL, weights.MXFP4, weights.BF16,
	} {
		as := t.String()
		if t == weights.MXFP4 {
			as = "MXFP4_MOE" // the one name that the peer has for it; pure, it is that of all matrices
		}
		all = append(all, quantised{name: "random-" + strings.ToLower(t.String()), source: source, as: as, flags: []string{"--pure"}, matrices: t, pure: true})
	}
	return all
}

// requantised are a real model's files, mixed as the peer mixes: what people have.
func requantised(source string) (all []quantised) {
	for _, as := range []string{"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q5_K_M", "F16"} {
		all = append(all, quantised{name: "smollm2-" + strings.ToLower(as), source: source, as: as, flags: []string{"--allow-requantize"}})
	}
	return all
}

// holds says whether all matrices are of the type.
func (q quantised) holds(f *weights.File) error {
	for _, t := range f.Tensors() {
		if q.pure && len(t.Shape) > 1 && t.Type != q.matrices {
			return fmt.Errorf("tensor %s is %s, not %s", t.Name, t.Type, q.matrices)
		}
	}
	return nil
}

// run quantises in one thread: on a machine that is used, another waits for the slowest at each tensor.
func (q quantised) run(ctx context.Context, program, path string) error {
	c := exec.CommandContext(ctx, program, append(slices.Clone(q.flags), q.source, path, q.as, "1")...)
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, q.as, err, lastLine(text))
	}
	return nil
}
