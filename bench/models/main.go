// Command models makes the files that engines are compared on: a llama of random weights, and a real model, in each type that Chimera
// computes, written by the quantiser of the peer, whose files people have.
//
// This file owns the command line and the order of things.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"chimera/weights"
)

// setup is where files come from and where they go.
type setup struct {
	quantize, model, folder string
}

func main() {
	s := setup{}
	flag.StringVar(&s.quantize, "quantize", "", "`path` of the peer's llama-quantize")
	flag.StringVar(&s.model, "model", "", "SmolLM2 `file`, whose vocabulary the random llama has, and which is requantised")
	flag.StringVar(&s.folder, "folder", "", "`folder` of the files that are made; sound ones that it has are kept")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "models:", err)
		os.Exit(1)
	}
}

func (s setup) run(ctx context.Context) error {
	if s.quantize == "" || s.model == "" || s.folder == "" || flag.NArg() > 0 {
		return fmt.Errorf("--quantize, --model and --folder are needed, and nothing stands beside flags")
	}
	if _, err := exec.LookPath(s.quantize); err != nil {
		return fmt.Errorf("%w: build the peer's target llama-quantize", err)
	}
	if err := os.MkdirAll(s.folder, 0o755); err != nil {
		return err
	}
	source := filepath.Join(s.folder, "random-f16.gguf")
	if err := keepOrMake(source, standard.holds, func(path string) error { return standard.writeFile(path, s.model) }); err != nil {
		return err
	}
	for _, q := range append(random(source), requantised(s.model)...) {
		path := filepath.Join(s.folder, q.name+".gguf")
		err := keepOrMake(path, q.holds, func(path string) error { return q.run(ctx, s.quantize, path) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // the peer may not have the type, or not for such a file
			fmt.Printf("%s: left out: %v\n", path, err)
		}
	}
	return nil
}

// keepOrMake has a file made unless there is one that holds what it should. It appears whole or not at all.
func keepOrMake(path string, holds func(*weights.File) error, write func(path string) error) error {
	if check(path, holds) == nil {
		fmt.Printf("%s: kept\n", path)
		return nil
	}
	part := path + ".part"
	defer os.Remove(part)
	if err := write(part); err != nil {
		return err
	}
	if err := check(part, holds); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	fmt.Printf("%s: made\n", path)
	return nil
}

// check opens a file as the product does, which refuses one that was cut off.
func check(path string, holds func(*weights.File) error) error {
	f, err := weights.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return holds(f)
}

// lastLine of what a program printed is where it says what was wrong.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
