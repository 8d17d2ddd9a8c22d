package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// This file owns what tier shows and asks for: at which quantisation tier models are served.

// Tiers is an answer of GET /v1/tiers.
type Tiers struct {
	Models []ModelTiers `json:"models"`
}

// ModelTiers is a model's entry.
type ModelTiers struct {
	Model      string     `json:"model"`
	Tier       string     `json:"tier"`
	Generation uint64     `json:"generation"`
	Mode       string     `json:"mode"`
	Until      *time.Time `json:"until"`
	Swapping   string     `json:"swapping_to"`
	Ladder     []struct {
		Tier   string                        `json:"tier"`
		Bytes  int64                         `json:"bytes"`
		Kept   int64                         `json:"kept_bytes"`
		Scores map[string]map[string]float64 `json:"scores"`
		State  string                        `json:"state"`
	} `json:"ladder"`
	Events []struct {
		Time    time.Time `json:"time"`
		From    string    `json:"from"`
		To      string    `json:"to"`
		Reason  string    `json:"reason"`
		State   string    `json:"state"`
		Problem string    `json:"problem"`
	} `json:"events"`
}

// Tiers asks the daemon and returns its answer byte for byte.
func (c *Client) Tiers(ctx context.Context) ([]byte, error) {
	return fetch(ctx, c, "/v1/tiers", ParseTiers)
}

// ParseTiers reads an answer of GET /v1/tiers.
func ParseTiers(text []byte) (Tiers, error) { return parseAnswer[Tiers](text, "models", '[') }

// SetTier has a model, the first for "", served at a tier, or at the settings' for "auto", and waits for that. For how long is a duration such as
// 2h, or empty.
func (c *Client) SetTier(ctx context.Context, model, tier, stays string) (ModelTiers, error) {
	body, err := c.post(ctx, "/v1/tiers", struct {
		Model string `json:"model,omitempty"`
		Tier  string `json:"tier"`
		For   string `json:"for,omitempty"`
	}{model, tier, stays})
	if err != nil {
		return ModelTiers{}, err
	}
	parse := func(text []byte) (ModelTiers, error) { return parseAnswer[ModelTiers](text, "tier", '"') }
	text, err := readWhole(c, body, parse)
	if err != nil {
		return ModelTiers{}, err
	}
	return parse(text)
}

// shownEvents is how many steps of each model Print shows.
const shownEvents = 10

// Print writes a table of each model's tiers, the one that serves marked, and its last steps.
func (t Tiers) Print(out io.Writer) error {
	for i, m := range t.Models {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := m.Print(out); err != nil {
			return err
		}
	}
	return nil
}

// Print writes the model's tiers and its last steps.
func (m ModelTiers) Print(out io.Writer) error {
	fmt.Fprintf(out, "%s: %s", VisibleLine(m.Model), VisibleLine(m.Mode))
	if m.Until != nil {
		fmt.Fprintf(out, " until %s", m.Until.Local().Format(time.DateTime))
	}
	if m.Swapping != "" {
		fmt.Fprintf(out, ", on its way to %s", VisibleLine(m.Swapping))
	}
	if m.Generation == 0 {
		fmt.Fprint(out, ", not loaded")
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "\tTIER\tMB\tON DISK\tSTATE\tSCORES")
	for _, tier := range m.Ladder {
		mark := ""
		if tier.Tier == m.Tier {
			mark = "*"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", mark, VisibleLine(tier.Tier), megabytes(tier.Bytes), megabytes(tier.Kept), VisibleLine(tier.State), dashed(scoresLine(tier.Scores)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, e := range m.Events[max(0, len(m.Events)-shownEvents):] {
		line := fmt.Sprintf("%s  %s to %s, %s: %s", e.Time.Local().Format(time.DateTime), VisibleLine(e.From), VisibleLine(e.To), VisibleLine(e.State), VisibleLine(e.Reason))
		if e.Problem != "" {
			line += "; " + VisibleLine(e.Problem)
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

// megabytes is a size, or a dash for none.
func megabytes(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(bytes)/1e6)
}

// RemovedTiers is the answer of DELETE /v1/tiers.
type RemovedTiers struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// RemoveTiers has what is kept on disk of a model's tier removed, the first model's for "", or all of it for a tier of "".
func (c *Client) RemoveTiers(ctx context.Context, model, tier string) (RemovedTiers, error) {
	body, err := c.send(ctx, http.MethodDelete, "/v1/tiers", struct {
		Model string `json:"model,omitempty"`
		Tier  string `json:"tier,omitempty"`
		All   bool   `json:"all,omitempty"`
	}{model, tier, tier == ""})
	if err != nil {
		return RemovedTiers{}, err
	}
	parse := func(text []byte) (RemovedTiers, error) { return parseAnswer[RemovedTiers](text, "files", '0') }
	text, err := readWhole(c, body, parse)
	if err != nil {
		return RemovedTiers{}, err
	}
	return parse(text)
}

// Print writes a line.
func (r RemovedTiers) Print(out io.Writer) error {
	_, err := fmt.Fprintf(out, "removed %d files of %s MB\n", r.Files, megabytes(r.Bytes))
	return err
}

// scoresLine is each metric's value and how it differs from the source's at most and at least.
func scoresLine(scores map[string]map[string]float64) string {
	var list []string
	for name, s := range scores {
		list = append(list, fmt.Sprintf("%s %.4g (%+.3g to %+.3g)", name, s["value"], s["low"], s["high"]))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
