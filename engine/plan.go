package engine

// This file owns Plan: what a backend made of a Program, as a table.

// Phase is one row of a plan: a kernel over chunks of work that threads claim; a barrier follows it.
type Phase struct {
	Name      string `json:"name"`       // the op and what it belongs to: "blk.3.ffn_down"
	Backend   string `json:"backend"`    // where it runs: the program says what, the plan says where
	Kernel    string `json:"kernel"`     // the kernel: "product q4 avx2"
	Chunks    string `json:"chunks"`     // what one unit of work is: "16 weight rows x 8 tokens"
	ReadBytes int64  `json:"read_bytes"` // weight bytes that one step reads
	MACs      int64  `json:"macs"`       // multiply-accumulates per token (Head: per output row); attention: per visible position
}

// Plan is a lowered program: its phases in order and the memory it needs.
type Plan struct {
	Backend     string      `json:"backend"`
	ISA         string      `json:"isa,omitempty"`
	Threads     int         `json:"threads"`
	Phases      []Phase     `json:"phases"`
	WeightBytes int64       `json:"weight_bytes"` // after repacking
	KVBytes     int64       `json:"kv_bytes"`
	ActBytes    int64       `json:"activation_bytes"`
	BatchBytes  int64       `json:"batch_bytes"`
	Groups      []PlanGroup `json:"groups"`
	// StagingBytes are taken while the weights are loaded only.
	StagingBytes int64 `json:"staging_bytes,omitempty"`
	// HostBytes are what a backend with memory of its own takes of the machine's beside.
	HostBytes int64 `json:"host_bytes,omitempty"`
}

// PlanGroup is what the pages of one group take.
type PlanGroup struct {
	Name      string `json:"name"`
	Layers    int    `json:"layers"`
	Pages     int    `json:"pages"`
	PageBytes int64  `json:"page_bytes"` // all layers
}

// TotalBytes is all that Load takes of the memory that Backend.Available speaks of.
func (p *Plan) TotalBytes() int64 {
	return p.WeightBytes + p.KVBytes + p.ActBytes + p.BatchBytes + p.StagingBytes
}
