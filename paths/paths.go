// Package paths owns where things lie when nobody says: the socket, cached models, what is remembered.
// Server, client and tools ask here, so that they agree without any configuration.
package paths

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Socket is where the daemon listens and its clients look: /run/chimera/chimera.sock for root,
// $XDG_RUNTIME_DIR/chimera.sock for a user.
func Socket() string { return socketOf(os.Getuid()) }

func socketOf(uid int) string {
	if uid == 0 {
		return "/run/chimera/chimera.sock"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "chimera.sock")
	}
	return filepath.Join(sharedFolder(uid), "chimera.sock")
}

// sharedFolder is a user's own folder where all users have theirs.
func sharedFolder(uid int) string { return filepath.Join(os.TempDir(), fmt.Sprintf("chimera-%d", uid)) }

// Cache is the folder of what can be had again, such as models that were downloaded: $CACHE_DIRECTORY,
// which systemd sets for the service, or chimera in $XDG_CACHE_HOME, by default ~/.cache.
func Cache() string { return folder("CACHE_DIRECTORY", "XDG_CACHE_HOME", ".cache") }

// State is the folder of what is remembered from run to run, such as what was asked in a chat:
// $STATE_DIRECTORY, which systemd sets for the service, or chimera in $XDG_STATE_HOME, by default
// ~/.local/state.
func State() string { return folder("STATE_DIRECTORY", "XDG_STATE_HOME", ".local/state") }

// folder follows the XDG base directory specification, by which a path that is not absolute is ignored.
// It is empty where there is not even a home: then nothing is cached or remembered.
func folder(service, xdg, inHome string) string {
	if list := filepath.SplitList(os.Getenv(service)); len(list) > 0 && filepath.IsAbs(list[0]) {
		return list[0]
	}
	if dir := os.Getenv(xdg); filepath.IsAbs(dir) {
		return filepath.Join(dir, "chimera")
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return ""
	}
	return filepath.Join(home, inHome, "chimera")
}

// Model is the file that the user means by given: that path if it exists; else, for a bare name, the
// cached model of that name, with or without .gguf; else given.
func Model(given string) string {
	cache := Cache()
	if given == "" || strings.ContainsRune(given, filepath.Separator) || cache == "" || exists(given) {
		return given
	}
	for _, name := range []string{given, given + ".gguf"} {
		if cached := filepath.Join(cache, "models", name); exists(cached) {
			return cached
		}
	}
	return given
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
