package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"chimera/daemon"
)

// This file owns the root command, exit codes, and how errors reach the user.

// Exit codes; they are part of the interface.
const (
	exitFailed = 1 // the verb could not do its work
	exitUsage  = 2 // wrong usage or configuration
	exitModel  = 3 // a model file is missing, malformed or not supported
	// 10 and 11 are daemon.ExitRestart and daemon.ExitOutOfService, which the unit acts on.
)

const rootHelp = `Chimera serves language models on one machine: a daemon on a Unix socket and HTTP, with
OpenAI-compatible endpoints, and the tools around it.

  chimera serve --model model.gguf            start the daemon
  chimera run "Why is the sky blue?"          ask it
  chimera chat                                talk to it

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 missing, malformed or unsupported model file,
10 the instance or its GPU context is lost: start again, 11 a GPU needs a reset, a restart of the machine or a replacement: do not.`

// usageError marks an error as the caller's.
type usageError struct{ error }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use: "chimera", Short: "An inference daemon for Linux servers", Long: rootHelp,
		SilenceUsage: true, SilenceErrors: true,
		RunE:                       func(c *cobra.Command, _ []string) error { return c.Help() },
		SuggestionsMinimumDistance: 2,
	}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError{suggestFlag(c, err)} })
	root.AddCommand(
		serveCommand(), runCommand(), chatCommand(), psCommand(), gpuCommand(), showCommand(), tokenizeCommand(), templateCommand(),
		perplexityCommand(), logitsCommand(), quantizeCommand(), benchCommand(), versionCommand(),
	)
	root.CompletionOptions.HiddenDefaultCmd = true
	c, err := root.ExecuteContextC(context.Background())
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "chimera:", message(err))
	code := exitCode(err)
	if code == exitUsage {
		fmt.Fprintf(stderr, "Try '%s --help'.\n", c.CommandPath())
	}
	return code
}

// suggestFlag names the flag that was probably meant.
func suggestFlag(c *cobra.Command, err error) error {
	name, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return err
	}
	list := cobra.Command{SuggestionsMinimumDistance: 2}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		list.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	if near := list.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("%w; did you mean --%s?", err, strings.Join(near, " or --"))
	}
	return err
}

// message is the error without the sentinel that only code reads.
func message(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return strings.ReplaceAll(err.Error(), ": "+daemon.ErrModelFile.Error(), "")
}

func exitCode(err error) int {
	var usage usageError
	var config *daemon.ConfigError
	switch code := daemon.ExitCode(err); {
	case code != 0:
		return code
	case errors.Is(err, daemon.ErrModelFile):
		return exitModel
	case errors.As(err, &usage), errors.As(err, &config), isCobraUsage(err):
		return exitUsage
	}
	return exitFailed
}

// isCobraUsage knows the usage errors that cobra has no type for.
func isCobraUsage(err error) bool {
	for _, prefix := range []string{"unknown command", "accepts ", "requires ", "required flag", "at least one of the flags", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), prefix) {
			return true
		}
	}
	return false
}

// interruptible is a context that ends with Ctrl-C or SIGTERM.
func interruptible(c *cobra.Command) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
}

// engineConfig are the flags of a verb that loads a model itself.
func engineConfig(c *cobra.Command) *daemon.Config {
	config := daemon.DefaultConfig()
	daemon.EngineFlags(c.Flags(), &config)
	return &config
}

func modelFlag(c *cobra.Command) *string {
	path := c.Flags().String("model", "", "model file, or name of a cached model")
	_ = c.MarkFlagRequired("model")
	return path
}

// serverFlags say where the daemon of a client verb is.
func serverFlags(c *cobra.Command) *string {
	return c.Flags().String("server", daemon.DefaultConfig().Socket, "the daemon: path of its Unix socket, PORT, HOST:PORT or URL (environment CHIMERA_SERVER)")
}

// serverAddress gives the environment its say where no flag was given.
func serverAddress(c *cobra.Command, flag string) string {
	if value := os.Getenv("CHIMERA_SERVER"); value != "" && !c.Flags().Changed("server") {
		return value
	}
	return flag
}
