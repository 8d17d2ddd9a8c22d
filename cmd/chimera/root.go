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

	"chimera/config"
	"chimera/daemon"
)

// This file owns the root command, exit codes, and how errors reach the user.

// Exit codes; they are part of the interface.
const (
	exitFailed = 1 // the verb could not do its work
	exitUsage  = 2 // wrong usage or configuration
	exitModel  = 3 // a model file is missing, malformed or not supported
	// 10 and 11 are daemon.ExitRestart and daemon.ExitOutOfService, which the unit acts on.
	exitInterrupted = 130 // as shells say of what a second Ctrl+C ends
)

const rootHelp = `Chimera serves language models on one machine: a daemon on a Unix socket and HTTP, with
OpenAI-compatible endpoints, and the tools around it.

  chimera serve --model model.gguf            start the daemon
  chimera run "Why is the sky blue?"          ask it
  chimera chat                                talk to it

On a terminal, control characters that a model, a server or a file wrote are shown (^[ for escape), not obeyed; files and
pipes get the bytes as they are. Ctrl+C stops what is under way, a second one ends the process at once.

Exit codes:
  0    done
  1    failed
  2    wrong usage or configuration
  3    missing, malformed or unsupported model file
  10   serve: the instance or its GPU context is lost; a new process cures it
  11   serve: a GPU needs a reset, a restart of the machine or a replacement; do not start again
  130  interrupted, by Ctrl+C or SIGTERM`

// usageError marks an error as the caller's.
type usageError struct{ error }

func run(args []string, stdin io.Reader, rawOut, rawErr io.Writer) int {
	stdout, stderr := newOutput(rawOut), newOutput(rawErr)
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	c, err := root.ExecuteContextC(context.Background())
	if failed := stdout.close("standard output"); err == nil || errors.Is(err, stdout.failed) {
		err = failed
	}
	code := complain(stderr, c, err)
	_ = stderr.close("standard error") // there is nowhere to say it
	return code
}

// complain says what went wrong and what to do, and returns the exit code.
func complain(stderr io.Writer, c *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "chimera:", message(err))
	code := exitCode(err)
	if code != exitUsage {
		return code
	}
	if isMisuse(err) {
		fmt.Fprint(stderr, whatToType(c))
	}
	fmt.Fprintf(stderr, "Try '%s --help'.\n", c.CommandPath())
	return code
}

func rootCommand() *cobra.Command {
	var showVersion bool
	root := &cobra.Command{
		Use: "chimera", Short: "An inference daemon for Linux servers", Long: rootHelp,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			if showVersion {
				return printVersion(c.OutOrStdout())
			}
			return c.Help()
		},
		SuggestionsMinimumDistance: 2,
	}
	root.Flags().BoolVar(&showVersion, "version", false, "print what 'chimera version' prints")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError{suggestFlag(c, err)} })
	for _, g := range []struct {
		id, title string
		verbs     []*cobra.Command
	}{
		{"daemon", "The daemon, and what needs one that runs:", []*cobra.Command{serveCommand(), runCommand(), chatCommand(), psCommand(), loadCommand(), unloadCommand(), tierCommand(), cacheCommand(), qualityCommand(), experimentCommand(), reportCommand(), explainCommand(), replayCommand(), forgetCommand(), gpuCommand(), benchCommand(), evalCommand()}},
		{"file", "What needs a model file alone:", []*cobra.Command{showCommand(), tokenizeCommand(), templateCommand(), perplexityCommand(), logitsCommand(), layersCommand(), quantizeCommand()}},
		{"plan", "What needs neither:", []*cobra.Command{simulateCommand(), scoreCommand()}},
		{"about", "About this program:", []*cobra.Command{versionCommand()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, verb := range g.verbs {
			verb.GroupID = g.id
			root.AddCommand(verb)
		}
	}
	root.SetHelpCommandGroupID("about")
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}

// suggestFlag names the flag that was probably meant.
func suggestFlag(c *cobra.Command, err error) error {
	name, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return err
	}
	name, _, _ = strings.Cut(name, "=")
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := config.Near(name, names); len(near) > 0 {
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
	var config *config.Error
	switch code := daemon.ExitCode(err); {
	case code != 0:
		return code
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, daemon.ErrModelFile):
		return exitModel
	case errors.As(err, &usage), errors.As(err, &config), isMisuse(err), isUnknownVerb(err):
		return exitUsage
	}
	return exitFailed
}

// isMisuse also knows the errors of that kind that cobra has no type for.
func isMisuse(err error) bool {
	var m misuse
	for _, prefix := range []string{"required flag", "at least one of the flags", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), prefix) {
			return true
		}
	}
	return errors.As(err, &m)
}

func isUnknownVerb(err error) bool { return strings.HasPrefix(err.Error(), "unknown command") }

// interruptible is a context that ends with Ctrl+C or SIGTERM. A second one ends the process as if nobody had
// asked for the first: whatever hangs meanwhile cannot keep it.
func interruptible(c *cobra.Command) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// engineConfig are the flags of a verb that loads a model itself.
func engineConfig(c *cobra.Command) *config.Config {
	all := config.Default()
	config.EngineFlags(c.Flags(), &all)
	return &all
}

func modelFlag(c *cobra.Command) *string {
	path := c.Flags().String("model", "", "model `file`, or name of a cached model")
	_ = c.MarkFlagRequired("model")
	return path
}

// terminable is for a verb that takes Ctrl+C itself.
func terminable(c *cobra.Command) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(c.Context(), syscall.SIGTERM)
}
