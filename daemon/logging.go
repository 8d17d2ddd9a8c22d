package daemon

import (
	"fmt"
	"log/slog"
	"os"

	"chimera/hostmem"
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

// logMemory prints what is mapped, by purpose.
func logMemory() {
	attrs := []any{}
	for _, u := range hostmem.Usage() {
		if u.Bytes > 0 {
			attrs = append(attrs, u.Purpose.String()+"_mib", fmt.Sprintf("%.1f", float64(u.Bytes)/(1<<20)))
		}
		if u.LockRefusedBytes > 0 {
			slog.Warn("memory could not be locked: raise LimitMEMLOCK=", "purpose", u.Purpose.String(), "bytes", u.LockRefusedBytes)
		}
	}
	slog.Info("memory", attrs...)
}
