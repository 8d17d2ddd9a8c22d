package main

import "github.com/spf13/cobra"

// This file owns the verb bench, which has what it measures below it.

func benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "bench", Short: "Measure a server under load, the engine alone, or this machine's memory", Args: operands(),
		Long: `Measure speed: 'serve' that of any OpenAI-compatible server, as its clients see it, which is also what bench does without a further
word; 'engine' that of the engine by itself, which no server can exceed; 'memory' that of this machine's memory.`,
		Example: "  chimera bench serve --clients 8\n  chimera bench engine --model m.gguf\n  chimera bench memory",
	}
	c.AddCommand(benchServeCommand(), benchEngineCommand(), benchMemoryCommand())
	generateLoad(c)
	return c
}
