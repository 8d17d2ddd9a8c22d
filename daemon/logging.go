package daemon

import (
	"io"
	"log/slog"

	"chimera/config"
)

// This file owns the log: structured lines on standard error, where the service manager collects them.

var logLevel slog.LevelVar

func startLog(c *config.Config, out io.Writer) {
	level, _ := c.Level() // checked by Resolve
	logLevel.Set(level)
	slog.SetDefault(slog.New(logHandler(out, c.LogFormat)))
}

func logHandler(out io.Writer, format string) slog.Handler {
	options := &slog.HandlerOptions{Level: &logLevel}
	if format == "json" {
		return slog.NewJSONHandler(out, options)
	}
	return slog.NewTextHandler(out, options)
}
