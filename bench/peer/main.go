// Command peer sets Chimera beside llama.cpp, and its engine beside ik_llama.cpp's, on this machine: the same files, threads, loads and
// generator, in turns, so that a noisy machine is noisy for all. It prints a Markdown table.
//
// This file owns the command line and the order of things.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// setup is what all are started with.
type setup struct {
	chimera, peer, ik string
	model             string // whose turn it is
	isa               string // of Chimera; a peer's is that it was built for
	threads, rounds   int
	waves             int // requests of each client
}

func main() {
	s := setup{}
	flag.StringVar(&s.chimera, "chimera", "bin/chimera", "`path` of chimera")
	var models []string
	flag.Func("model", "model `file` (may be repeated: each row is measured on each)", func(path string) error {
		models = append(models, path)
		return nil
	})
	flag.StringVar(&s.peer, "peer", "", "`folder` with llama-server, llama-bench and llama-batched-bench of llama.cpp; without it Chimera is measured alone")
	flag.StringVar(&s.ik, "ik", "", "`folder` with llama-bench of ik_llama.cpp, for the engine's rows")
	flag.StringVar(&s.isa, "isa", "auto", "instruction `set` of Chimera")
	flag.IntVar(&s.threads, "threads", 2, "compute threads of each")
	flag.IntVar(&s.rounds, "rounds", 3, "how often each is measured")
	flag.IntVar(&s.waves, "waves", 6, "requests of each client that are counted")
	chosen := flag.String("rows", strings.Join(names(rows), ","), "`list` of what is measured, separated by commas")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, s, models, *chosen); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s setup, models []string, chosen string) error {
	if len(models) == 0 || s.threads < 1 || s.rounds < 1 || s.waves < 1 || flag.NArg() > 0 {
		return fmt.Errorf("--model is needed, --threads, --rounds and --waves are 1 at least, and nothing stands beside flags")
	}
	selected, err := selectRows(chosen)
	if err != nil {
		return err
	}
	if err := distinct(models); err != nil {
		return err
	}
	versions, err := s.versions(ctx, models)
	if err != nil {
		return err
	}
	var t table
	err = s.fill(ctx, &t, models, selected)
	fmt.Printf("%s\n\n%s", versions, t) // what there is, if it was interrupted
	return err
}

// fill takes turns: each round all models, each model all rows, each row all that it measures.
func (s setup) fill(ctx context.Context, t *table, models []string, selected []row) (failed error) {
	for round := range s.rounds {
		for _, s.model = range models {
			for _, r := range selected {
				failed = errors.Join(failed, s.turns(ctx, t, s.label(r, models), r, round))
				if ctx.Err() != nil {
					return errors.Join(failed, ctx.Err())
				}
			}
		}
	}
	return failed
}

// label is what a row is called: where there are several models, the one is named.
func (s setup) label(r row, models []string) string {
	if len(models) == 1 {
		return r.about
	}
	return modelName(s.model) + ", " + r.about
}

func modelName(path string) string { return strings.TrimSuffix(filepath.Base(path), ".gguf") }

// distinct refuses models whose lines of the table would be one.
func distinct(models []string) error {
	seen := map[string]string{}
	for _, path := range models {
		if other, twice := seen[modelName(path)]; twice {
			return fmt.Errorf("--model: %s and %s have one name in the table: rename or leave out one", other, path)
		}
		seen[modelName(path)] = path
	}
	return nil
}

// turns measure a row once. What fails has no figures of that round; the others go on.
func (s setup) turns(ctx context.Context, t *table, label string, r row, round int) (failed error) {
	for _, k := range s.measured(r) {
		figures, err := s.measure(ctx, r, k, uint64(round))
		if ctx.Err() != nil {
			return failed
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("round %d: %s, %s: %w", round+1, label, k.name, err))
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		t.add(label, k.name, figures)
		fmt.Fprintf(os.Stderr, "round %d of %d: %s, %s: %s\n", round+1, s.rounds, label, k.name, figures)
	}
	return failed
}

func names(list []row) (all []string) {
	for _, r := range list {
		all = append(all, r.name)
	}
	return all
}

func selectRows(chosen string) (list []row, err error) {
	for name := range strings.SplitSeq(chosen, ",") {
		i := slices.Index(names(rows), name)
		if i < 0 {
			return nil, fmt.Errorf("--rows: there is no %q, but %s", name, strings.Join(names(rows), ", "))
		}
		list = append(list, rows[i])
	}
	return list, nil
}
