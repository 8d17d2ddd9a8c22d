package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// This file owns the engines alone, without server and network: what is measured, and Chimera's side of it.

// measure runs a row on one of the two.
func (s setup) measure(ctx context.Context, r row, k kind, seed uint64) (f figures, err error) {
	if r.measure == nil {
		return s.engine(ctx, k, r.steps)
	}
	x, err := s.start(ctx, k, r)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, x.stop()) }()
	return r.measure(ctx, x, seed)
}

// steps are what a row of engines measures: a prompt, or none; and so many steps that decode, or none, of that many rows.
type steps struct {
	prompt, generate, batch int
}

// repetitions of a turn, of which each side's best counts.
const repetitions = 3

// speeds are in tokens a second, of all rows together.
type speeds struct {
	prefill, decode float64
}

func (s setup) engine(ctx context.Context, k kind, x steps) (figures, error) {
	if k.name == chimera.name {
		return s.chimeraEngine(ctx, x)
	}
	r, err := k.speeds(ctx, s, x)
	return x.figures(r), err
}

// figures are those of the steps that a row has.
func (x steps) figures(r speeds) (f figures) {
	if x.prompt > 0 {
		f = append(f, figure{name: fmt.Sprintf("prefill %d (tokens/s)", x.prompt), value: r.prefill})
	}
	if x.generate > 0 {
		f = append(f, figure{name: fmt.Sprintf("decode %d (tokens/s)", x.generate), value: r.decode})
	}
	return f
}

// depth is where decoding begins: with llama-bench it has nothing before it, with llama-batched-bench a prompt of one token.
func (x steps) depth() int {
	if x.batch > 1 {
		return 1
	}
	return 0
}

// engineReport is what chimera bench engine prints. Packed bytes and limits are the CPU's: on a GPU they are none.
type engineReport struct {
	Prefill     float64 `json:"prefill_tokens_per_second"`
	Decode      float64 `json:"decode_tokens_per_second"`
	PackedBytes float64 `json:"packed_bytes"`
	FileBytes   float64 `json:"file_bytes"`
	Read        float64 `json:"read_gb_per_second"`
	Limits      struct {
		Read float64 `json:"read_gb_per_second"`
	} `json:"limits"`
}

func (s setup) chimeraEngine(ctx context.Context, x steps) (figures, error) {
	var r engineReport
	err := s.benchEngine(ctx, &r, "--rows", "", "--rounds", strconv.Itoa(repetitions), "--prompt", strconv.Itoa(max(x.prompt, 1)),
		"--generate", strconv.Itoa(max(x.generate, 1)), "--batch", strconv.Itoa(max(x.batch, 1)), "--depth", strconv.Itoa(x.depth()))
	if err != nil {
		return nil, err
	}
	return append(x.figures(speeds{r.Prefill, r.Decode}), r.reading(x)...), nil
}

// reading is what decoding one row is bound by: the bytes of the weights, and how fast they are read beside how fast they can be.
func (r engineReport) reading(x steps) (f figures) {
	if x.generate == 0 || x.batch > 1 {
		return nil
	}
	if r.PackedBytes > 0 && r.FileBytes > 0 {
		f = append(f, figure{name: "packed bytes of the file's", value: r.PackedBytes / r.FileBytes, less: true})
	}
	if r.Read > 0 {
		f = append(f, figure{name: "decode reads (GB/s)", value: r.Read})
	}
	if r.Limits.Read > 0 {
		f = append(f, figure{name: "decode reads, of measured bandwidth", value: r.Read / r.Limits.Read})
	}
	return f
}

// engineQPS is what a scheduler that loses nothing would make of the standard load.
func (s setup) engineQPS(ctx context.Context, clients, promptTokens int) (float64, error) {
	var r struct {
		Serve []struct {
			Median float64 `json:"median_qps"`
		}
	}
	mix := fmt.Sprintf("serve:%d,%d,%d", clients, promptTokens, answerTokens)
	if err := s.benchEngine(ctx, &r, "--rows", "", "--prompt", "1", "--generate", "1", "--mix", mix); err != nil {
		return 0, err
	}
	if len(r.Serve) != 1 || r.Serve[0].Median <= 0 {
		return 0, fmt.Errorf("chimera bench engine has not measured %s", mix)
	}
	return r.Serve[0].Median, nil
}

func (s setup) benchEngine(ctx context.Context, to any, args ...string) error {
	return output(ctx, to, s.chimera, append([]string{"bench", "engine", "--json", "--model", s.model, "--threads", strconv.Itoa(s.threads), "--isa", s.isa}, args...)...)
}

// output reads what a command prints as JSON.
func output(ctx context.Context, to any, name string, args ...string) error {
	text, err := printed(ctx, name, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("%s prints no JSON: %w", name, err)
	}
	return nil
}

// printed is what a command prints; what it logs is told when it fails.
func printed(ctx context.Context, name string, args ...string) ([]byte, error) {
	var log bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Stderr = &log
	text, err := c.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, strings.Join(lines[max(len(lines)-5, 0):], "\n"))
	}
	return text, nil
}
