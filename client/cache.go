package client

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
)

// This file owns what cache shows: the hottest prefixes of each model's cache.

// Caches is an answer of GET /v1/cache.
type Caches struct {
	Caches []struct {
		Model  string `json:"model"`
		Groups []struct {
			Group     string `json:"group"`
			Total     int    `json:"total"`
			Computing int    `json:"computing"`
			Used      int    `json:"used"`
			Cached    int    `json:"cached"`
			Pinned    int    `json:"pinned"`
		} `json:"groups"`
		Lookups   uint64  `json:"lookups"`
		Hits      uint64  `json:"hits"`
		HitTokens uint64  `json:"hit_tokens"`
		Evictions uint64  `json:"evictions"`
		Saved     float64 `json:"saved_seconds"`
		Prefixes  []struct {
			Name    string  `json:"name"`
			Key     string  `json:"key"`
			Tokens  int     `json:"tokens"`
			Uses    uint64  `json:"uses"`
			Hotness float64 `json:"hotness"`
			Saved   float64 `json:"saved_seconds"`
		} `json:"prefixes"`
		Pins []struct {
			Name  string `json:"name"`
			Ready bool   `json:"ready"`
		} `json:"pins"`
	} `json:"caches"`
}

// Cache asks the daemon and returns its answer byte for byte.
func (c *Client) Cache(ctx context.Context) ([]byte, error) {
	return fetch(ctx, c, "/v1/cache", ParseCaches)
}

// ParseCaches reads an answer of GET /v1/cache.
func ParseCaches(text []byte) (Caches, error) {
	return parseAnswer[Caches](text, "caches", '[')
}

// Print writes a line and a table for each cache, the hottest prefix first.
func (c Caches) Print(out io.Writer) error {
	if len(c.Caches) == 0 {
		fmt.Fprintln(out, "no model with a cache is loaded")
	}
	for i, m := range c.Caches {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s: %d of %d requests found a prefix, %d tokens and %s of computing were saved, %d pages evicted\n",
			VisibleLine(m.Model), m.Hits, m.Lookups, m.HitTokens, seconds(m.Saved), m.Evictions)
		for _, g := range m.Groups {
			fmt.Fprintf(out, "%s: of %d pages %d in use, %d cached, %d pinned\n", VisibleLine(g.Group), g.Total, g.Used+g.Computing, g.Cached, g.Pinned)
		}
		for _, p := range m.Pins {
			if !p.Ready {
				fmt.Fprintf(out, "pin %s is being computed\n", VisibleLine(p.Name))
			}
		}
		if len(m.Prefixes) == 0 {
			continue
		}
		w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "PREFIX\tPINNED\tTOKENS\tUSES\tHOTNESS\tSAVED")
		for _, p := range m.Prefixes {
			name := p.Name
			if name == "" {
				name = "-"
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.2f\t%.1f s\n", VisibleLine(p.Key), VisibleLine(name), p.Tokens, p.Uses, p.Hotness, p.Saved)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}
