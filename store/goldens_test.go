package store

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// This file owns tests of goldens: the first answer stays, whatever comes later.

func TestPin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s := mustOpen(t, path, Options{})
	ctx, at := context.Background(), time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	if _, err := s.Golden(ctx, Canaries, "d", "n"); !errors.Is(err, ErrNone) {
		t.Errorf("one that is not there: %v", err)
	}
	first := Golden{Time: at, Kind: Canaries, Digest: "d", Numerics: "n", Content: json.RawMessage(`["a"]`)}
	for _, content := range []string{`["a"]`, `["b"]`} {
		g := first
		g.Time, g.Content = at.Add(time.Hour), json.RawMessage(content)
		if content == `["a"]` {
			g.Time = at
		}
		pinned, err := s.Pin(ctx, g)
		if err != nil || pinned.Row != 1 || string(pinned.Content) != `["a"]` || !pinned.Time.Equal(at) {
			t.Errorf("pinned %s: %+v, %v", content, pinned, err)
		}
	}
	for _, other := range []Golden{{Kind: Suite, Digest: "d", Numerics: "n"}, {Kind: Canaries, Digest: "e", Numerics: "n"}, {Kind: Canaries, Digest: "d", Numerics: "m"}} {
		other.Content = json.RawMessage(`1`)
		if pinned, err := s.Pin(ctx, other); err != nil || string(pinned.Content) != "1" {
			t.Errorf("another subject: %+v, %v", pinned, err)
		}
	}
	must(t, s.Close())
	s = mustOpen(t, path, Options{})
	defer s.Close()
	if g, err := s.Golden(ctx, Canaries, "d", "n"); err != nil || string(g.Content) != `["a"]` {
		t.Errorf("after a restart: %+v, %v", g, err)
	}
	execute(t, s, `UPDATE goldens SET content = '["b"]' WHERE id = 1`)
	var damaged *DamagedRowError
	if _, err := s.Golden(ctx, Canaries, "d", "n"); !errors.As(err, &damaged) {
		t.Errorf("a changed golden: %v", err)
	}
	if _, err := s.Pin(ctx, first); !errors.As(err, &damaged) {
		t.Errorf("a changed golden is pinned anew: %v", err)
	}
}

func TestPinRefuses(t *testing.T) {
	s := opened(t, Options{})
	for want, g := range map[string]Golden{
		"goldens.kind":     {Kind: "other", Content: json.RawMessage(`1`)},
		"it is no JSON":    {Kind: Suite, Content: json.RawMessage(`{`)},
		"goldens.content":  {Kind: Suite},
		"33554432 are kep": {Kind: Suite, Content: json.RawMessage(strings.Repeat("1", maxGolden+1))},
		"goldens.digest":   {Kind: Suite, Digest: strings.Repeat("d", maxName+1), Content: json.RawMessage(`1`)},
	} {
		if _, err := s.Pin(context.Background(), g); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
