package main

import (
	"github.com/spf13/cobra"

	"chimera/config"
	"chimera/daemon"
)

// This file owns the verb serve.

func serveCommand() *cobra.Command {
	flags := config.Default()
	var file string
	c := &cobra.Command{
		Use: "serve [MODEL...]", Short: "Run the daemon",
		Long: `Run the daemon in the foreground until SIGTERM or Ctrl+C, which let running answers finish; a second one ends it at once.
SIGHUP reads the configuration again. MODEL is short for --model MODEL: a file, or the name of a cached model. The
first is loaded at the start, others when a request names them.

Every setting can be given as a flag, as an environment variable (CHIMERA_KV_TYPE for --kv-type), or as a key of the
TOML file (kv_type); flags win over the environment, and that over the file. When the daemon is ready it prints one line
of JSON to standard output: {"ready":true,"socket":...,"http":...,"models":[...]}. Its log goes to standard error.

It ends with exit code 10 when a new process cures what happened (a poisoned instance, a contained fault of its GPU) and with
11 when a person must act first (reset the GPU, restart the machine, change the card); docs/GPU.md has the table.`,
		Example: `  chimera serve SmolLM2-135M-Instruct-Q4_1.gguf --http 8080
  chimera serve --config /etc/chimera/chimera.toml
  chimera serve --model a.gguf=small --http 127.0.0.1:8080 --kv-type q8_0`,
	}
	c.Flags().StringVar(&file, "config", "", "TOML `file` with settings (environment CHIMERA_CONFIG)")
	config.Flags(c.Flags(), &flags)
	c.RunE = func(c *cobra.Command, models []string) error {
		for _, model := range models {
			if err := c.Flags().Set("model", model); err != nil {
				return usageError{err}
			}
		}
		resolve := func() (config.Config, error) { return config.Resolve(file, c.Flags()) }
		config, err := resolve()
		if err != nil {
			return err
		}
		return daemon.Serve(c.Context(), config, resolve, c.OutOrStdout(), logStream(c.ErrOrStderr()))
	}
	return c
}
