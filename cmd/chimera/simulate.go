package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chimera/scheduler"
	"chimera/scheduler/simulator"
	"chimera/scheduler/trace"
)

// This file owns the verb simulate.

// workload are the flags that say what is asked.
type workload struct {
	file, synthetic string
	speed           float64
	first           int
}

func simulateCommand() *cobra.Command {
	config := simulator.DefaultConfig()
	load := workload{speed: 1}
	var cost string
	var asJSON bool
	var schedulerITL float64
	var without []string
	ttft, itl, wait := milliseconds(config.Objectives.TTFT), milliseconds(config.Objectives.ITL), milliseconds(config.Wait)
	c := &cobra.Command{
		Use: "simulate", Short: "Run the scheduler over a trace, on a clock that nobody waits for", Args: operands(),
		Long: `Run the scheduler of 'chimera serve' over a trace of requests, on a device that computes nothing: steps take the time that the cost
model says. An hour of requests takes seconds, and the same trace gives the same figures.

--trace takes what 'chimera serve --record-trace FILE' wrote, Mooncake's traces (https://github.com/kvcache-ai/Mooncake, FAST25-release/traces) and
Azure's of 2023 and 2024 (https://github.com/Azure/AzurePublicDataset). --synthetic makes requests up, NAME=VALUE,...:
` + trace.SyntheticHelp() + `
--without switches off a part of the policy, to see what it is worth:
` + simulator.CharacteristicsHelp() + `
What a step takes is by default what it takes SmolLM2-135M on two cores; --cost reads it from a file that holds GET /v1/status of a daemon.`,
		Example: `  chimera simulate --synthetic rate=2,requests=2000,burst=4
  chimera simulate --trace trace.jsonl --speed 2 --cost status.json --json`,
	}
	f := c.Flags()
	f.StringVar(&load.file, "trace", "", "`file` with requests")
	f.StringVar(&load.synthetic, "synthetic", "", "requests that are made up: NAME=VALUE,...; - for all defaults")
	c.MarkFlagsOneRequired("trace", "synthetic")
	c.MarkFlagsMutuallyExclusive("trace", "synthetic")
	numberFlag(f, &load.speed, "speed", 1e-6, 1e6, "have the requests come so many times as fast")
	numberFlag(f, &load.first, "first", 0, 1<<30, "take so many requests, the first; 0: all")
	f.StringVar(&cost, "cost", "", "JSON `file` with what steps take, as GET /v1/status has it")
	numberFlag(f, &config.StepTokens, "step-tokens", 1, 1<<16, "most tokens that one step computes")
	numberFlag(f, &config.MaxSequences, "max-sequences", 1, 4096, "most answers that are computed at a time")
	numberFlag(f, &config.QueueLength, "queue-length", 1, 1<<20, "most answers that may wait")
	numberFlag(f, &config.Context, "ctx", 2, 1<<24, "longest prompt and answer in tokens; longer requests are left out")
	numberFlag(f, &config.Pages, "pages", 0, 1<<26, "pages of 16 tokens in the KV cache; 0: those of four contexts and one for each sequence")
	numberFlag(f, &ttft, "objective-ttft-ms", 0, 1e12, "a good answer's first token comes within so many milliseconds")
	numberFlag(f, &itl, "objective-itl-ms", 0, 1e12, "and its others so many apart, in the mean")
	numberFlag(f, &wait, "wait-ms", 0, 1e12, "milliseconds that an interactive request may be foreseen to wait; 0: no bound")
	numberFlag(f, &schedulerITL, "itl-ms", 0, 10_000, "milliseconds that a step may take while somebody decodes; 0: as chimera serve chooses")
	f.StringSliceVar(&without, "without", nil, "characteristics of the policy to switch off: `name,...`")
	f.Var((*ruleFlag)(&config.Rules), "rule", "another value of a constant of the policy, `NAME=VALUE`; docs/POLICY.md has them (may be repeated)")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		config.Objectives = simulator.Objectives{TTFT: fromMilliseconds(ttft), ITL: fromMilliseconds(itl)}
		config.ITL, config.Wait = fromMilliseconds(schedulerITL), fromMilliseconds(wait)
		var err error
		if config.Without, err = scheduler.CharacteristicsOf(without...); err != nil {
			return usageError{fmt.Errorf("--without: %w", err)}
		}
		t, err := load.open()
		if err != nil {
			return usageError{err}
		}
		if cost != "" {
			if config.Cost, err = simulator.ReadCost(cost); err != nil {
				return usageError{err}
			}
		}
		return simulate(c, t, config, asJSON)
	}
	return c
}

// open gives the requests that the flags ask for.
func (w *workload) open() (t *trace.Trace, err error) {
	if w.file != "" {
		t, err = trace.Open(w.file)
	} else {
		t, err = makeUp(w.synthetic)
	}
	if err != nil {
		return nil, err
	}
	t.Speed(w.speed)
	if w.first > 0 {
		t.First(w.first)
	}
	return t, nil
}

func makeUp(description string) (*trace.Trace, error) {
	s, err := trace.ParseSynthetic(strings.TrimPrefix(description, "-"))
	if err != nil {
		return nil, fmt.Errorf("synthetic: %w", err)
	}
	return s.Make(), nil
}

func simulate(c *cobra.Command, t *trace.Trace, config simulator.Config, asJSON bool) error {
	if left := t.Limit(config.Context); left > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "chimera: %d requests of more than %d tokens are left out (--ctx)\n", left, config.Context)
	}
	if len(t.Requests) == 0 {
		return usageError{errors.New("no request is left: raise --ctx")}
	}
	ctx, cancel := interruptible(c)
	defer cancel()
	report, err := simulator.Run(ctx, t, config)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.OutOrStdout(), report)
	}
	fmt.Fprintln(c.OutOrStdout(), t.Describe())
	return report.Print(c.OutOrStdout())
}

// ruleFlag sets constants of the policy by name.
type ruleFlag scheduler.Rules

func (r *ruleFlag) String() string { return "" }

// Type is what --help calls the value.
func (r *ruleFlag) Type() string { return "rule" }

// Set implements pflag.Value.
func (r *ruleFlag) Set(text string) error {
	name, value, _ := strings.Cut(text, "=")
	return simulator.SetRule((*scheduler.Rules)(r), name, value)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func fromMilliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
