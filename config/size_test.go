package config

import "testing"

// This file owns tests of sizes as settings write them.

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "0": 0, "4096": 4096, "3KiB": 3 << 10, "256MiB": 256 << 20, "2GiB": 2 << 30, "8589934591GiB": 8589934591 << 30} {
		var s Size
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("%s: %d %v, want %d", text, s, err, want)
		}
		var again Size
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("%s is written %s", text, s.String())
		}
	}
	for _, text := range []string{"", "-1", "1.5GiB", "GiB", "1TiB", "8589934592GiB", "1 GiB", "1gib"} {
		var s Size
		if err := s.Set(text); err == nil {
			t.Errorf("%q is %d", text, s)
		}
	}
}
