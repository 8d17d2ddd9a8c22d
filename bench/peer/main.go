// Command peer sets Chimera beside llama.cpp on this machine: the same file, threads, loads and generator, in turns, so that a
// noisy machine is noisy for both. It prints a Markdown table.
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
	"slices"
	"strings"
)

// setup is what both servers are started with.
type setup struct {
	chimera, peer, model string
	threads, rounds      int
	waves                int // requests of each client
}

func main() {
	s := setup{}
	flag.StringVar(&s.chimera, "chimera", "bin/chimera", "`path` of chimera")
	flag.StringVar(&s.model, "model", "", "model `file`")
	flag.StringVar(&s.peer, "peer", "", "`folder` with llama-server and llama-bench; without it Chimera is measured alone")
	flag.IntVar(&s.threads, "threads", 2, "compute threads of each")
	flag.IntVar(&s.rounds, "rounds", 3, "how often each is measured")
	flag.IntVar(&s.waves, "waves", 6, "requests of each client that are counted")
	chosen := flag.String("rows", strings.Join(names(rows), ","), "`list` of what is measured, separated by commas")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, s, *chosen); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s setup, chosen string) error {
	if s.model == "" || s.threads < 1 || s.rounds < 1 || s.waves < 1 || flag.NArg() > 0 {
		return fmt.Errorf("--model is needed, --threads, --rounds and --waves are 1 at least, and nothing stands beside flags")
	}
	selected, err := selectRows(chosen)
	if err != nil {
		return err
	}
	versions, err := s.versions(ctx)
	if err != nil {
		return err
	}
	var t table
	err = s.fill(ctx, &t, selected)
	fmt.Printf("%s\n\n%s", versions, t) // what there is, if it was interrupted
	return err
}

// fill takes turns: each round all rows, each row all servers. A row that fails has no figures of that round; the others go on.
func (s setup) fill(ctx context.Context, t *table, selected []row) (failed error) {
	for round := range s.rounds {
		for _, r := range selected {
			for _, server := range s.servers(r) {
				figures, err := s.measure(ctx, r, server, uint64(round))
				if ctx.Err() != nil {
					return errors.Join(failed, ctx.Err())
				}
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("round %d: %s, %s: %w", round+1, r.name, server.name, err))
					fmt.Fprintln(os.Stderr, err)
					continue
				}
				t.add(r, server.name, figures)
				fmt.Fprintf(os.Stderr, "round %d of %d: %s, %s: %s\n", round+1, s.rounds, r.name, server.name, figures)
			}
		}
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
