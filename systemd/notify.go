// Package systemd owns the daemon's talk with its service manager: readiness and status, the
// watchdog, and inherited listeners. Outside a unit all of it does nothing.
package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

func notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		slog.Warn("telling the service manager failed", "state", state, "cause", err)
	}
}

// Ready says that requests are answered from now on.
func Ready() { notify(daemon.SdNotifyReady) }

// Stopping says that the daemon is going down.
func Stopping() { notify(daemon.SdNotifyStopping) }

// Status sets the line that systemctl status shows. It stays one line: a file name with a line feed must
// not become a message of its own.
func Status(format string, args ...any) {
	notify("STATUS=" + strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " "))
}

// Reloading says that the configuration is being read again; Ready ends it. Type=notify-reload wants
// the monotonic time with it.
func Reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		notify(daemon.SdNotifyReloading)
		return
	}
	notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
}

// Watchdog keeps the unit's watchdog content as long as alive says so, until ctx is done. Without
// WatchdogSec= it returns at once.
func Watchdog(ctx context.Context, alive func() bool) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	ticker := time.NewTicker(interval / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if alive() {
				notify(daemon.SdNotifyWatchdog)
			}
		}
	}
}

// Listeners returns the sockets that a .socket unit handed over, Unix and TCP. It takes them out of
// the environment, so it gives them once.
func Listeners() ([]net.Listener, error) {
	all, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("taking over sockets: %w", err)
	}
	var streams []net.Listener
	for _, l := range all {
		if l != nil { // a datagram socket is none
			streams = append(streams, l)
		}
	}
	return streams, nil
}
