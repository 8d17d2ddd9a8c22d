package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"chimera/client"
	"chimera/quality/report"
)

// This file owns the verb report.

// failOnMissed is the one word that --fail-on takes.
const failOnMissed = "missed"

func reportCommand() *cobra.Command {
	var out, since, against, failOn string
	c := &cobra.Command{
		Use: "report", Short: "Report on a daemon's serving", Args: operands(),
		Long: `Report what a daemon has measured: an Executive Summary against [objectives], Optimisation Recommendations with their measured effects, and
a Risk/Mitigation Table. It is of the last 24 hours, or of what --since says. Every figure names its sample, its method and the rows of the
history that it was computed from; what nobody measured is there as missing. Without --out it is Markdown on standard output. Root and the
daemon's own user see all tenants, others what is theirs. With --fail-on missed the exit code is 1 where an objective was missed.`,
		Example: `  chimera report
  chimera report --out report.html
  chimera report --against 7d --out week.md
  chimera report --since 15m --out run.json --fail-on missed`,
	}
	address := serverFlag(c)
	c.Flags().StringVar(&out, "out", "", "`file` to write to: .html, .md or .json")
	c.Flags().StringVar(&since, "since", "", "when the `PERIOD` begins: 90m, 24h or 7d ago, or a time such as 2027-01-02T15:04:05Z")
	c.Flags().StringVar(&against, "against", "", "compare the last `PERIOD`, such as 24h or 7d, with the one before it; --since makes the last one begin elsewhere")
	c.Flags().StringVar(&failOn, "fail-on", "", "what makes the exit code 1: missed")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := interruptible(c)
		defer cancel()
		form, err := formOf(out)
		if err == nil && failOn != "" && failOn != failOnMissed {
			err = fmt.Errorf("--fail-on %q: the one word that it takes is %s", failOn, failOnMissed)
		}
		if err != nil {
			return usageError{err}
		}
		d, err := server(c, "server", *address)
		if err != nil {
			return err
		}
		if since == "" {
			since = against
		}
		var r *report.Report
		_, err = d.Report(ctx, since, against, func(text []byte) (err error) {
			r, err = report.Parse(text)
			return err
		})
		if err != nil {
			return err
		}
		if err := writeReport(c.OutOrStdout(), out, r, form); err != nil {
			return err
		}
		if missed := r.Missed(); failOn != "" && len(missed) > 0 {
			return fmt.Errorf("objectives were missed: %s", client.VisibleLine(strings.Join(missed, ", ")))
		}
		return nil
	}
	return c
}

// formOf is the form that a file's name says.
func formOf(path string) (func(*report.Report, io.Writer) error, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".html", ".htm":
		return (*report.Report).HTML, nil
	case ".json":
		return (*report.Report).JSON, nil
	case ".md", ".markdown":
		return (*report.Report).Markdown, nil
	}
	if path == "" {
		return (*report.Report).Markdown, nil
	}
	return nil, fmt.Errorf("--out %s: the name must end in .html, .md or .json", path)
}

// writeReport writes to the file, or where there is none to standard output.
func writeReport(stdout io.Writer, path string, r *report.Report, form func(*report.Report, io.Writer) error) error {
	if path == "" {
		return form(r, stdout)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(form(r, f), f.Close())
}
