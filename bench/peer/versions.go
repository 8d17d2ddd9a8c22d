package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// This file owns what is told beside the table: what was measured.

// versions say that. The peers' are asked by a short run: one that does not work ends all at once, not after an hour.
func (s setup) versions(ctx context.Context, models []string) (string, error) {
	text, err := exec.CommandContext(ctx, s.chimera, "version").Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.chimera, err)
	}
	all := fmt.Sprintf("%d threads, instruction set %s\n\n%s\n", s.threads, s.isa, strings.TrimSpace(string(text)))
	for _, path := range models {
		sum, err := fileSum(path)
		if err != nil {
			return "", err
		}
		all += fmt.Sprintf("\n%s: SHA-256 %.8x", filepath.Base(path), sum)
	}
	s.model = models[0]
	for _, peer := range []struct{ name, folder string }{{llama.name, s.peer}, {ik.name, s.ik}} {
		if peer.folder == "" {
			continue
		}
		runs, err := s.llamaBench(ctx, peer.folder, 1, 0, 1)
		if err != nil {
			return "", err
		}
		all += fmt.Sprintf("\n\n%s: commit %s, on %s", peer.name, runs[0].Commit, runs[0].Processor)
	}
	return all, nil
}

func fileSum(path string) (sum []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), errors.Join(err, f.Close())
}
