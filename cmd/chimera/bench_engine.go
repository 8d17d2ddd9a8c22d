package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"chimera/daemon"
)

// This file owns the verb bench engine.

// Bounds of what is measured: far beyond what a machine computes in minutes.
const (
	mostRows      = 1 << 14
	mostPositions = 1 << 20
	mostRounds    = 1000
)

func benchEngineCommand() *cobra.Command {
	b := daemon.EngineBench{Rounds: 3}
	prompt, generate, batch, depth := 512, 64, 1, 0
	rows, mixes := "8,32,64,8+16,32+64", []string(nil)
	var asJSON bool
	c := &cobra.Command{
		Use: "engine --model MODEL", Short: "Measure the engine alone, without scheduler or network", Args: operands(),
		Long: `Measure the speed of steps on a model file: a prompt of --prompt tokens, --generate steps of --batch rows that decode, and
steps of the --rows asked for: R rows that decode, or R+P with P rows of a prompt beside them. A step's time is the engine's alone; filling a
batch and what is done with its tokens are the scheduler's. Tokens per second count all rows. --mix serve:CLIENTS,PROMPT,ANSWER, in tokens, tells
how many requests a second a scheduler that loses nothing would make of that load: what 'bench serve' finds is a share of it. On the CPU the
phases of a prompt's and of a decoding step are set beside what this machine can do, measured in the same run: reading the packed weights front
to back, and multiplying bytes, of which a product and its sum are two operations. No daemon is needed.`,
		Example: "  chimera bench engine --model m.gguf\n  chimera bench engine --model m.gguf --rows 8,8+64 --depth 1000 --json\n  chimera bench engine --model m.gguf --rows '' --mix serve:32,128,64",
	}
	config := engineConfig(c)
	model := modelFlag(c)
	numberFlag(c.Flags(), &prompt, "prompt", 1, mostRows, "tokens of the prompt that is computed in one step")
	numberFlag(c.Flags(), &generate, "generate", 1, mostPositions, "steps of each kind in a round, and tokens of an answer")
	numberFlag(c.Flags(), &batch, "batch", 1, mostRows, "rows that decode in a step")
	numberFlag(c.Flags(), &depth, "depth", 0, mostPositions, "position where the answers begin: what rows that decode have before them")
	c.Flags().StringVar(&rows, "rows", rows, "`list` of further kinds of steps, R or R+P, separated by commas")
	c.Flags().StringArrayVar(&mixes, "mix", nil, "`load` serve:CLIENTS,PROMPT,ANSWER (may be repeated)")
	numberFlag(c.Flags(), &b.Rounds, "rounds", 1, mostRounds, "rounds, of which best and median are told")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		b.Model = *model
		b.Prefill = daemon.EngineSteps{Prompt: prompt, Length: prompt, Count: 1}
		b.Decode = daemon.EngineSteps{Decode: batch, Depth: depth, Answer: generate, Count: generate}
		if b.Others, err = parseRows(rows, b.Decode); err != nil {
			return usageError{err}
		}
		for _, text := range mixes {
			mix, err := parseMix(text)
			if err != nil {
				return usageError{err}
			}
			b.Serve = append(b.Serve, mix)
		}
		ctx, cancel := interruptible(c)
		defer cancel()
		set, wait := bar(c.ErrOrStderr(), "bench engine")
		b.Progress = func(done, total int) { set(uint64(done), uint64(total)) }
		r, err := daemon.BenchEngine(ctx, config, b)
		wait()
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), r)
		}
		return printEngine(c.OutOrStdout(), r)
	}
	return c
}

// parseRows reads kinds of steps; all else of them is as of the one given.
func parseRows(list string, as daemon.EngineSteps) (all []daemon.EngineSteps, err error) {
	if list == "" {
		return nil, nil
	}
	for text := range strings.SplitSeq(list, ",") {
		steps := as
		decode, prompt, mixed := strings.Cut(text, "+")
		steps.Decode, err = strconv.Atoi(decode)
		if err == nil && mixed {
			steps.Prompt, err = strconv.Atoi(prompt)
			steps.Length = steps.Prompt
		}
		if sum := steps.Decode + steps.Prompt; err != nil || steps.Decode < 0 || steps.Prompt < 0 || sum < 1 || sum > mostRows || mixed && steps.Prompt == 0 {
			return nil, fmt.Errorf("--rows: %q: use R or R+P, 1 to %d rows together, such as --rows 8,32+64", text, mostRows)
		}
		if steps.Decode == 0 {
			steps.Count = 1 // all are alike
		}
		all = append(all, steps)
	}
	return all, nil
}

func parseMix(text string) (s daemon.EngineServe, err error) {
	numbers, isServe := strings.CutPrefix(text, "serve:")
	fields := strings.Split(numbers, ",")
	if isServe && len(fields) == 3 {
		s.Clients, err = strconv.Atoi(fields[0])
		for i, to := range []*int{&s.Prompt, &s.Answer} {
			if err == nil {
				*to, err = strconv.Atoi(fields[1+i])
			}
		}
		if err == nil && s.Clients >= 1 && s.Prompt >= 1 && s.Answer >= 1 && s.Clients <= mostRows && s.Prompt <= mostPositions && s.Answer <= mostPositions &&
			s.Clients*(1+(s.Prompt-1)/s.Answer+1) <= mostRows {
			return s, nil
		}
	}
	return s, fmt.Errorf("--mix %q: use serve:CLIENTS,PROMPT,ANSWER, each from 1 on and with at most %d rows a step, such as serve:8,128,64", text, mostRows)
}

func printEngine(w io.Writer, r *daemon.EngineReport) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "rows\tdepth\tms/step\tmedian\ttokens/s\tmedian\t")
	for _, s := range r.Steps {
		fmt.Fprintf(t, "%s\t%d\t%.2f\t%.2f\t%.1f\t%.1f\t\n", s.Rows, s.Depth, s.Best, s.Median, s.BestTokens, s.MedianTokens)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if err := printPhases(w, r); err != nil {
		return err
	}
	for _, s := range r.Serve {
		if _, err := fmt.Fprintf(w, "%d clients, prompts of %d and answers of %d tokens: %.2f requests/s, median %.2f, in steps of %s\n", s.Clients, s.Prompt, s.Answer, s.Best, s.Median, strings.Join(s.Rows, " and ")); err != nil {
			return err
		}
	}
	return nil
}

// printPhases sets the phases beside what the machine can do.
func printPhases(w io.Writer, r *daemon.EngineReport) error {
	fmt.Fprintf(w, "\nweights: %d bytes packed, %d in the file; decode reads %.2f GB/s of them\n", r.PackedBytes, r.FileBytes, r.Read)
	if r.Limits == nil {
		return nil
	}
	fmt.Fprintf(w, "this machine at most: reads %.2f GB/s, computes %.1f Gop/s\n", r.Limits.Read, r.Limits.Operations)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "steps\tphase\tkernel\tms/step\tGB/s\tGop/s\tshare\tof")
	for _, p := range r.Phases {
		fmt.Fprintf(t, "%s\t%s\t%s\t%.3f\t%.2f\t%.1f\t%.0f%%\t%s\n", p.Steps, p.Name, p.Kernel, p.Time, p.Read, p.Operations, 100*p.Share, p.Limit)
	}
	return t.Flush()
}
