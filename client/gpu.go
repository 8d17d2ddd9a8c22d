package client

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// This file owns what gpu shows: the daemon's view of the machine's GPUs, as a table.

// GPUs is an answer of GET /v1/gpu as far as the table needs it. A nil figure is one that the GPU does not have.
type GPUs struct {
	Devices []GPU  `json:"devices"`
	Reason  string `json:"reason"` // why there are none
	Events  string `json:"events"` // why Xid errors go unseen
}

// GPU is one entry.
type GPU struct {
	Index   int    `json:"index"`
	Name    string `json:"name"`
	Bus     string `json:"bus"`
	Verdict struct {
		Action string `json:"action"`
		Needs  string `json:"needs"`
		Reason string `json:"reason"`
	} `json:"verdict"`
	Reading struct {
		MemoryUsed  *uint64   `json:"memory_used_bytes"`
		MemoryTotal *uint64   `json:"memory_total_bytes"`
		Utilisation *uint32   `json:"utilisation_percent"`
		Power       *float64  `json:"power_watts"`
		PowerLimit  *float64  `json:"power_limit_watts"`
		Temperature *uint32   `json:"temperature_celsius"`
		SMClock     *uint32   `json:"sm_clock_mhz"`
		Throttle    *[]string `json:"throttle"`
		MIG         bool      `json:"mig"`
	} `json:"reading"`
}

// GPU asks the daemon and returns its answer byte for byte.
func (c *Client) GPU(ctx context.Context) ([]byte, error) {
	return fetch(ctx, c, "/v1/gpu", ParseGPUs)
}

// ParseGPUs reads an answer of GET /v1/gpu.
func ParseGPUs(text []byte) (GPUs, error) {
	return parseAnswer[GPUs](text, "devices", '[')
}

// Print writes one line a GPU, with a dash for what it does not have.
func (g GPUs) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "GPU\tNAME\tBUS\tMEMORY MIB\tUSE %\tPOWER W\tTEMP C\tSM MHZ\tTHROTTLED\tVERDICT")
	for _, d := range g.Devices {
		name, r := VisibleLine(d.Name), d.Reading
		if r.MIG {
			name += " (MIG)"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Index, name, VisibleLine(d.Bus), pair(mebibytes(r.MemoryUsed), mebibytes(r.MemoryTotal)),
			figure(r.Utilisation), pair(r.Power, r.PowerLimit), figure(r.Temperature), figure(r.SMClock), throttled(r.Throttle), VisibleLine(d.words()))
	}
	return w.Flush()
}

func (d GPU) words() string {
	text := d.Verdict.Action
	if d.Verdict.Needs != "" {
		text += " (" + d.Verdict.Needs + ")"
	}
	if d.Verdict.Reason != "" {
		text += ": " + d.Verdict.Reason
	}
	return text
}

func figure[T uint32 | uint64 | float64](v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f", float64(*v))
}

func pair[T uint32 | uint64 | float64](value, limit *T) string {
	if value == nil && limit == nil {
		return "-"
	}
	return figure(value) + "/" + figure(limit)
}

func mebibytes(v *uint64) *uint64 {
	if v == nil {
		return nil
	}
	return new(*v >> 20)
}

func throttled(reasons *[]string) string {
	switch {
	case reasons == nil:
		return "-"
	case len(*reasons) == 0:
		return "no"
	}
	return VisibleLine(strings.Join(*reasons, ","))
}
