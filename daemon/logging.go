package daemon

import (
	"fmt"
	"log/slog"
	"os"
)

// This file owns the log: structured lines on stderr, where the service manager collects them.

var logLevel slog.LevelVar

// level parses the setting.
func (c *Config) level() (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return l, fmt.Errorf("log_level %q: use debug, info, warn or error", c.LogLevel)
	}
	return l, nil
}

func startLog(c *Config) {
	level, _ := c.level() // checked by Resolve
	logLevel.Set(level)
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: &logLevel})))
}
