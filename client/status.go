package client

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
	"time"
)

// This file owns what ps shows: models, load and memory.

// OwnRequests are those that the daemon asks itself.
type OwnRequests struct {
	Running int `json:"running"`
	Waiting int `json:"waiting"`
}

// Model is one entry of the daemon's list.
type Model struct {
	ID         string `json:"id"`
	Loaded     bool   `json:"loaded"`
	MaxContext int    `json:"max_model_len"`

	State   string      `json:"state"`
	Running int         `json:"running"`
	Waiting int         `json:"waiting"`
	Own     OwnRequests `json:"own"`
	Memory  int64       `json:"memory_bytes"`
	Idle    *float64    `json:"idle_seconds"`
	Percent *int        `json:"loading_percent"`
	Problem string      `json:"problem"`
}

// words are the model's state; of a daemon that says none, whether it is loaded.
func (m Model) words() string {
	text := m.State
	switch {
	case text == "" && m.Loaded:
		text = "loaded"
	case text == "":
		text = "-"
	}
	if m.Percent != nil {
		text += fmt.Sprintf(" (%d %%)", percent(*m.Percent))
	}
	if m.Problem != "" {
		text += ": " + m.Problem
	}
	return VisibleLine(text)
}

// context is how many tokens it holds, which is known once it is loaded.
func (m Model) context() string {
	if m.MaxContext == 0 {
		return "-"
	}
	return strconv.Itoa(m.MaxContext)
}

// idle is how long nobody has used the model.
func (m Model) idle() string {
	if m.Idle == nil {
		return "-"
	}
	return seconds(*m.Idle).String()
}

// Status is an answer of GET /v1/status as far as ps shows it; docs/HTTP.md describes the whole.
type Status struct {
	State   string  `json:"state"`
	Percent *int    `json:"loading_percent"`
	Uptime  float64 `json:"uptime_seconds"`
	Models  []Model `json:"models"`
	Model   *struct {
		NumericsID     string `json:"numerics_id"`
		Backend        string `json:"backend"`
		Tier           string `json:"tier"`
		Threads        int    `json:"threads"`
		ThreadsBoundBy string `json:"threads_bound_by"`
	} `json:"model"`
	Requests struct {
		Running int         `json:"running"`
		Waiting int         `json:"waiting"`
		Own     OwnRequests `json:"own"`
		Limit   int         `json:"admission_limit"`
		Reason  string      `json:"admission_reason"`
	} `json:"requests"`
	Pages struct {
		Used   int `json:"used"`
		Cached int `json:"cached"`
		Total  int `json:"total"`
	} `json:"kv_pages"`
	Memory []struct {
		Purpose string `json:"purpose"`
		Mapped  int64  `json:"mapped_bytes"`
	} `json:"memory"`
	GPUs        []GPU `json:"gpus"`
	Utilisation *struct {
		DeviceBusy *float64 `json:"device_busy"`
		CoresUsed  *float64 `json:"cores_used"`
		Cores      float64  `json:"cores"`
		CPUWatts   *float64 `json:"cpu_watts"`
		GPUWatts   *float64 `json:"gpu_watts"`
	} `json:"utilisation"`
	History struct {
		State   string `json:"state"`
		Problem string `json:"problem"`
	} `json:"history"`
}

// statusTime bounds the question: a daemon answers it without computing.
const statusTime = 10 * time.Second

// Status asks the daemon and returns its answer byte for byte. Of a server that is no daemon of ours it is an error.
func (c *Client) Status(ctx context.Context) ([]byte, error) {
	return fetch(ctx, c, "/v1/status", ParseStatus)
}

// ParseStatus reads an answer of GET /v1/status.
func ParseStatus(text []byte) (Status, error) {
	return parseAnswer[Status](text, "state", '"')
}

// Print writes the models as a table, and a line for each other thing there is to say.
func (s Status) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tCONTEXT\tRUNNING\tWAITING\tMEMORY MIB\tIDLE\tSTATE")
	for _, m := range s.Models {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", VisibleLine(m.ID), m.context(), m.Running, m.Waiting, max(m.Memory, 0)>>20, m.idle(), m.words())
	}
	fmt.Fprintf(w, "\n%s", VisibleLine(s.State))
	if s.Percent != nil {
		fmt.Fprintf(w, ", %d %% read", percent(*s.Percent))
	}
	fmt.Fprintf(w, ", up for %v\n", seconds(s.Uptime))
	if m := s.Model; m != nil {
		tier := ""
		if m.Tier != "" && m.Tier != "source" {
			tier = ", tier " + VisibleLine(m.Tier)
		}
		fmt.Fprintf(w, "%s, %d threads (%s)%s, numerics %s\n", VisibleLine(m.Backend), m.Threads, VisibleLine(m.ThreadsBoundBy), tier, VisibleLine(m.NumericsID))
	}
	fmt.Fprintf(w, "%d running, %d waiting, %d of %d KV pages in use, %d cached\n", s.Requests.Running, s.Requests.Waiting, s.Pages.Used, s.Pages.Total, s.Pages.Cached)
	if own := s.Requests.Own; own != (OwnRequests{}) {
		fmt.Fprintf(w, "%d running, %d waiting of the daemon's own\n", own.Running, own.Waiting)
	}
	if s.Requests.Limit > 0 {
		fmt.Fprintf(w, "at most %d run at a time: %s\n", s.Requests.Limit, VisibleLine(s.Requests.Reason))
	}
	s.printUtilisation(w)
	for _, m := range s.Memory {
		if m.Mapped > 0 {
			fmt.Fprintf(w, "memory for %s: %d MiB\n", VisibleLine(m.Purpose), m.Mapped>>20)
		}
	}
	if h := s.History; h.Problem != "" {
		fmt.Fprintf(w, "the history is %s: %s\n", VisibleLine(h.State), VisibleLine(h.Problem))
	}
	for _, g := range s.GPUs {
		fmt.Fprintf(w, "GPU %d %s (%s): %s\n", g.Index, VisibleLine(g.Name), VisibleLine(g.Bus), VisibleLine(g.words()))
	}
	return w.Flush()
}

// printUtilisation writes what is known of the last minute.
func (s Status) printUtilisation(w io.Writer) {
	u := s.Utilisation
	if u == nil || u.DeviceBusy == nil || u.CoresUsed == nil {
		return
	}
	fmt.Fprintf(w, "last minute: steps for %.0f %% of the time, %.2f of %.3g cores", 100**u.DeviceBusy, *u.CoresUsed, u.Cores)
	if u.CPUWatts != nil {
		fmt.Fprintf(w, ", processors %.3g W", *u.CPUWatts)
	}
	if u.GPUWatts != nil {
		fmt.Fprintf(w, ", GPUs %.3g W", *u.GPUWatts)
	}
	fmt.Fprintln(w)
}

// seconds is a server's count of them, to the second; more than a duration holds is the longest.
func seconds(n float64) time.Duration {
	n = max(n, 0)
	if n >= math.MaxInt64/float64(time.Second) {
		return (math.MaxInt64 * time.Nanosecond).Truncate(time.Second)
	}
	return time.Duration(n * float64(time.Second)).Round(time.Second)
}

// percent is a server's, where a percentage lies.
func percent(n int) int { return min(max(n, 0), 100) }
