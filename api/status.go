package api

import (
	"time"

	"chimera/gpu"
)

// This file owns GET /v1/status: what the daemon is doing, for people and their tools. What machines count over time is in
// /metrics.

// Compute is what a model is computed with.
type Compute struct {
	Backend        string `json:"backend"`
	ISA            string `json:"isa,omitempty"`
	KVType         string `json:"kv_type"`
	Threads        int    `json:"threads"`
	ThreadsBoundBy string `json:"threads_bound_by"` // the machine, affinity, the control group's quota or the setting
}

// Utilisation is how busy the last minute was. What could not be measured is null.
type Utilisation struct {
	From       time.Time `json:"from"`
	Until      time.Time `json:"until"`
	DeviceBusy *float64  `json:"device_busy"` // share of the time in which steps were under way
	CoresUsed  *float64  `json:"cores_used"`  // CPU seconds of the process a second
	Cores      float64   `json:"cores"`       // that it may use
	CPUWatts   *float64  `json:"cpu_watts"`   // the process's part of what processors and their memory took
	GPUWatts   *float64  `json:"gpu_watts"`   // of graphics cards that it computes on
	Problem    string    `json:"energy_problem,omitempty"`
}

// The answer's shapes. docs/HTTP.md describes them.
type (
	statusAnswer struct {
		State    string        `json:"state"` // loading, serving, draining or failed
		Percent  *int          `json:"loading_percent,omitzero"`
		Uptime   float64       `json:"uptime_seconds"`
		Models   []statusEntry `json:"models"`
		Model    *statusModel  `json:"model"` // null until it is loaded
		Requests statusLoad    `json:"requests"`
		Tokens   statusTokens  `json:"tokens"`
		Pages    statusPages   `json:"kv_pages"`
		Memory   []MemoryUse   `json:"memory"`
		GPUs     []statusGPU   `json:"gpus"`
		History  *HistoryState `json:"history,omitzero"`
		// Utilisation is of the last minute; null until one is over, and for who is no administrator, since it is of all tenants.
		Utilisation *Utilisation `json:"utilisation"`
	}
	statusModel struct {
		ID         string `json:"id"`
		NumericsID string `json:"numerics_id"`
		MaxContext int    `json:"max_model_len"`
		Compute
		Tier string `json:"tier"` // of answers that begin now; source: as the model's file has it
	}
	// statusEntry is a model as /v1/models shows it, and how it is doing.
	statusEntry struct {
		modelObject
		ModelState
	}
	statusLoad struct {
		Running int         `json:"running"`
		Waiting int         `json:"waiting"`
		Own     OwnRequests `json:"own,omitzero"`
		Limit   int         `json:"admission_limit,omitzero"` // while a GPU's health cuts admission
		Reason  string      `json:"admission_reason,omitempty"`
	}
	statusTokens struct {
		Prefill   uint64 `json:"prefill"`
		Decode    uint64 `json:"decode"`
		Cached    uint64 `json:"cached"`
		Discarded uint64 `json:"discarded"`
	}
	statusPages struct {
		Used   int `json:"used"`
		Cached int `json:"cached"`
		Total  int `json:"total"`
	}
	statusGPU struct {
		Index   int         `json:"index"`
		Name    string      `json:"name"`
		Bus     string      `json:"bus"`
		Verdict gpu.Verdict `json:"verdict"`
	}
)

func (s *Server) status(c *call) error {
	now := s.Metrics.total()
	a := statusAnswer{
		State: stateOf(s.serving()), Uptime: time.Since(s.started).Round(time.Millisecond).Seconds(), Models: s.statusEntries(),
		Requests: statusLoad{now.Running, now.Waiting, OwnRequests(now.Own), now.Governance.MaxRunning, now.Governance.Reason},
		Tokens:   statusTokens{now.PrefillTokens, now.DecodeTokens, now.PrefixTokens, now.DiscardedTokens},
		Pages:    statusPages{now.PagesUsed, now.PagesCached, now.PagesTotal},
		Memory:   []MemoryUse{}, GPUs: []statusGPU{},
	}
	if a.State == "loading" {
		a.Percent = a.loadingPercent()
	}
	if m, _ := s.Registry.Lookup(""); m != nil {
		a.Model = &statusModel{m.Name, m.Numerics(""), m.MaxContext, m.Compute, m.Tier("")}
	}
	if s.Memory != nil {
		a.Memory = s.Memory()
	}
	if s.Utilisation != nil && c.peer.Administers {
		a.Utilisation = s.Utilisation()
	}
	if s.GPUs != nil {
		for _, d := range s.GPUs.State().Devices {
			a.GPUs = append(a.GPUs, statusGPU{d.Index, d.Name, d.Bus, d.Verdict})
		}
	}
	if s.History != nil {
		a.History = new(s.History.State())
	}
	return c.reply(a)
}

func (s *Server) statusEntries() []statusEntry {
	list := []statusEntry{}
	for _, state := range s.Registry.States() {
		list = append(list, statusEntry{s.modelObject(state.Name), state})
	}
	return list
}

// loadingPercent is that of the load which is not as far as any other.
func (a *statusAnswer) loadingPercent() (least *int) {
	for _, m := range a.Models {
		if m.Percent != nil && (least == nil || *m.Percent < *least) {
			least = m.Percent
		}
	}
	return least
}
