package loader

import (
	"testing"

	"chimera/cores"
)

// TestThreads: those of the setting, or as many as there are cores to compute on; the log says which.
func TestThreads(t *testing.T) {
	n, bound := cores.Available()
	for threads, want := range map[int]struct {
		n     int
		bound string
	}{0: {n, bound}, 1: {1, "the setting"}, n + 5: {n + 5, "the setting"}} {
		if n, bound := (Options{Threads: threads}).Workers(); n != want.n || bound != want.bound {
			t.Errorf("threads %d: %d by %s, want %d by %s", threads, n, bound, want.n, want.bound)
		}
	}
}
