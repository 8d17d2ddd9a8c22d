package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"chimera/bench"
	"chimera/config"
	"chimera/loader"
)

// defaultMemoryBytes is far beyond what a CPU's page tables caches reach with small pages (8 MiB), and
// measured in seconds.
const defaultMemoryBytes = 256 << 20

func benchMemoryCommand() *cobra.Command {
	m := bench.Memory{Bytes: defaultMemoryBytes}
	device := config.Default().Device
	var asJSON bool
	c := &cobra.Command{
		Use: "memory", Short: "Measure this machine's memory: huge, locked and pinned against ordinary", Args: operands(),
		Long: `Measure what kinds of memory are worth on this machine, by one CPU: the time from asking for a region to having all its
pages, copying into it, reading it front to back, and reading it at random, each address known only when the one before
has come. With a GPU: copies to it and from it, and small transfers there and back.`,
		Example: "  chimera bench memory\n  chimera bench memory --size 1GiB --json",
	}
	c.Flags().Var((*config.Size)(&m.Bytes), "size", "bytes of each region, also as 64MiB or 2GiB; two are held at a time")
	config.DeviceFlag(c.Flags(), &device, "the GPU that bytes are copied to: auto, cpu for none, or cuda:N; auto is the first, if there is one")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := m.Check(); err != nil {
			return usageError{err}
		}
		ctx, cancel := interruptible(c)
		defer cancel()
		r, err := measureMemory(ctx, c.ErrOrStderr(), m, device)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), r)
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), r)
		return err
	}
	return c
}

// measureMemory has the GPU's rows where there is one. Why a build for GPUs leaves them out is said.
func measureMemory(ctx context.Context, stderr io.Writer, m bench.Memory, device string) (r *bench.MemoryReport, err error) {
	copier, err := loader.OpenCopier(device, m.Bytes)
	switch {
	case errors.Is(err, loader.ErrNoGPU):
		fmt.Fprintln(stderr, "chimera:", err)
	case err != nil:
		return nil, err
	case copier != nil:
		m.Copier = copier
		defer func() { err = errors.Join(err, copier.Close()) }()
	}
	return m.Run(ctx)
}
