//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

// This file owns the pages of KV groups on a device: their layouts and where they lie.

// groupCache is one group's pages, or slots.
type groupCache struct {
	engine.Group
	layout    C.struct_kv_layout // of pages
	at        Pointer
	pages     int
	pageBytes int64
}

func kvLayout(g engine.Group, kv engine.DType) (layout C.struct_kv_layout) {
	kind := map[engine.DType]C.int{engine.F32: C.KV_F32, engine.F16: C.KV_F16, engine.Q8_0: C.KV_Q8_0}[kv]
	latent := C.int(0)
	if g.Latent {
		latent = 1
	}
	C.kv_layout_init(&layout, kind, C.int(g.Layers), C.int(g.Heads), C.int(g.KeyWidth), C.int(g.ValueWidth), latent)
	return layout
}

// slotAlign is what a slot's size is a multiple of, as a page's.
const slotAlign = 64

func carveGroups(a *arena, p *engine.Program, o engine.LoadOptions) (groups []groupCache) {
	for i, g := range p.Groups {
		c := groupCache{Group: g, pages: o.Pages[i]}
		if g.State > 0 {
			c.pageBytes = int64(g.State*g.Layers*4+slotAlign-1) / slotAlign * slotAlign
		} else {
			c.layout = kvLayout(g, o.Policy.KV)
			c.pageBytes = int64(c.layout.page_bytes)
		}
		c.at = a.take(c.pageBytes * int64(c.pages))
		groups = append(groups, c)
	}
	return groups
}

func planGroups(groups []groupCache) (rows []engine.PlanGroup) {
	for _, g := range groups {
		rows = append(rows, engine.PlanGroup{Name: g.Name, Layers: g.Layers, Pages: g.pages, PageBytes: g.pageBytes})
	}
	return rows
}

func groupLimits(p *engine.Program, o engine.LoadOptions) []engine.GroupLimits {
	var bytes []int64
	for _, g := range carveGroups(&arena{}, p, o) {
		bytes = append(bytes, g.pageBytes)
	}
	return lowering.GroupLimits(p, o, bytes)
}
