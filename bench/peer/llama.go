package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// This file owns the peers' engines: llama-bench of llama.cpp and of ik_llama.cpp, and llama-batched-bench.

// benchRun is one of what llama-bench prints as JSON: prompt or generation.
type benchRun struct {
	Commit    string    `json:"build_commit"`
	Processor string    `json:"cpu_info"`
	Prompt    int       `json:"n_prompt"`
	Generated int       `json:"n_gen"`
	Speeds    []float64 `json:"samples_ts"` // of each repetition
}

// llamaBench runs it, and reads what it measured.
func (s setup) llamaBench(ctx context.Context, folder string, prompt, generate, repeat int, more ...string) (runs []benchRun, err error) {
	args := []string{"-m", s.model, "-t", strconv.Itoa(s.threads), "-p", strconv.Itoa(prompt), "-n", strconv.Itoa(generate), "-r", strconv.Itoa(repeat), "-o", "json"}
	program := filepath.Join(folder, "llama-bench")
	text, err := printed(ctx, program, append(args, more...)...)
	if err != nil {
		return nil, err
	}
	if runs, err = readRuns(text); err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	return runs, nil
}

// object is one of JSON that holds no other, as llama-bench prints them.
var object = regexp.MustCompile(`\{[^{}]*\}`)

// readRuns takes the objects one by one: ik_llama.cpp may log to the same output between them.
func readRuns(text []byte) (runs []benchRun, err error) {
	for _, one := range object.FindAll(text, -1) {
		var r benchRun
		if err := json.Unmarshal(one, &r); err != nil {
			return nil, err
		}
		if len(r.Speeds) == 0 {
			return nil, fmt.Errorf("nothing was measured: %q", one)
		}
		runs = append(runs, r)
	}
	if len(runs) == 0 {
		return nil, fmt.Errorf("nothing was measured: %q", text)
	}
	return runs, nil
}

// bestOf are the fastest repetitions.
func bestOf(runs []benchRun) (best speeds) {
	for _, r := range runs {
		if r.Generated == 0 {
			best.prefill = max(best.prefill, slices.Max(r.Speeds))
		} else {
			best.decode = max(best.decode, slices.Max(r.Speeds))
		}
	}
	return best
}

// llamaSpeeds are llama.cpp's.
func llamaSpeeds(ctx context.Context, s setup, x steps) (speeds, error) {
	if x.batch > 1 {
		return s.batched(ctx, x)
	}
	runs, err := s.llamaBench(ctx, s.peer, x.prompt, x.generate, repetitions)
	return bestOf(runs), err
}

// ikSpeeds are ik_llama.cpp's, each the faster of with and without weights that it repacks as it loads them.
func ikSpeeds(ctx context.Context, s setup, x steps) (speeds, error) {
	var all []benchRun
	for _, repack := range []string{"0", "1"} {
		runs, err := s.llamaBench(ctx, s.ik, x.prompt, x.generate, repetitions, "-rtr", repack)
		if err != nil {
			return speeds{}, err
		}
		all = append(all, runs...)
	}
	return bestOf(all), nil
}

// batched decodes rows of several sequences in each step.
func (s setup) batched(ctx context.Context, x steps) (best speeds, err error) {
	batches := strconv.Itoa(x.batch)
	for range repetitions - 1 {
		batches += "," + strconv.Itoa(x.batch)
	}
	program := filepath.Join(s.peer, "llama-batched-bench")
	text, err := printed(ctx, program, "-m", s.model, "-t", strconv.Itoa(s.threads), "-c", strconv.Itoa(x.batch*(x.depth()+x.generate)),
		"-npp", strconv.Itoa(x.depth()), "-ntg", strconv.Itoa(x.generate), "-npl", batches, "--output-format", "jsonl")
	if err != nil {
		return best, err
	}
	if best.decode, err = bestBatched(text); err != nil {
		return best, fmt.Errorf("%s: %w", program, err)
	}
	return best, nil
}

// bestBatched reads the lines of JSON among those that are none.
func bestBatched(text []byte) (best float64, err error) {
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte("{")) {
			continue
		}
		var r struct {
			Decode float64 `json:"speed_tg"`
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return 0, err
		}
		best = max(best, r.Decode)
	}
	if best == 0 {
		return 0, fmt.Errorf("nothing was measured: %q", text)
	}
	return best, nil
}
