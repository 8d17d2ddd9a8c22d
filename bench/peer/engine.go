package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// This file owns the engines alone, without server and network.

// measure runs a row on one of the two.
func (s setup) measure(ctx context.Context, r row, k kind, seed uint64) (f figures, err error) {
	if r.measure == nil {
		return s.engine(ctx, k)
	}
	x, err := s.start(ctx, k, r)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, x.stop()) }()
	return r.measure(ctx, x, seed)
}

// engine is prefill and decode, as llama-bench measures them.
func (s setup) engine(ctx context.Context, k kind) (figures, error) {
	var prefill, decode float64
	if k.name == chimera.name {
		var r struct {
			Prefill float64 `json:"prefill_tokens_per_second"`
			Decode  float64 `json:"decode_tokens_per_second"`
		}
		if err := s.benchEngine(ctx, &r, "--rows", ""); err != nil {
			return nil, err
		}
		prefill, decode = r.Prefill, r.Decode
	} else {
		var r []struct {
			Generated int     `json:"n_gen"`
			Speed     float64 `json:"avg_ts"`
		}
		if err := output(ctx, &r, filepath.Join(s.peer, "llama-bench"), "-m", s.model, "-t", strconv.Itoa(s.threads), "-p", "512", "-n", "64", "-r", "3", "-o", "json"); err != nil {
			return nil, err
		}
		for _, run := range r {
			if run.Generated == 0 {
				prefill = run.Speed
			} else {
				decode = run.Speed
			}
		}
	}
	return figures{{name: "prefill 512 (tokens/s)", value: prefill}, {name: "decode 64 (tokens/s)", value: decode}}, nil
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
	return output(ctx, to, s.chimera, append([]string{"bench", "engine", "--json", "--model", s.model, "--threads", strconv.Itoa(s.threads)}, args...)...)
}

// output reads what a command prints as JSON.
func output(ctx context.Context, to any, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Stderr = os.Stderr
	text, err := c.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return json.Unmarshal(text, to)
}
