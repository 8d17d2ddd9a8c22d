package daemon

import (
	"fmt"
	"io"
	"log/slog"
)

// This file owns the log: structured lines on standard error, where the service manager collects them.

var logLevel slog.LevelVar

// level parses the setting.
func (c *Config) level() (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return l, fmt.Errorf("log_level %q: use debug, info, warn or error", c.LogLevel)
	}
	return l, nil
}

func startLog(c *Config, out io.Writer) {
	level, _ := c.level() // checked by Resolve
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
