package cgo

// #include "kv.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns the memory of KV groups: how large a page or slot is, where the pages lie, and which a step uses.

// slotAlign is the alignment of slots: a cache line.
const slotAlign = 64

// groupLayout is how a page of the group is laid out; of slots only their size counts.
func groupLayout(g engine.Group, kv engine.DType) (l C.struct_kv_layout) {
	if g.State > 0 {
		l.page_bytes = C.int64_t((g.Layers*g.State*4 + slotAlign - 1) / slotAlign * slotAlign)
		return l
	}
	kind := map[engine.DType]C.int{engine.F32: C.KV_F32, engine.F16: C.KV_F16, engine.Q8_0: C.KV_Q8_0}[kv]
	latent := C.int(0)
	if g.Latent {
		latent = 1
	}
	C.kv_layout_init(&l, kind, C.int(g.Layers), C.int(g.Heads), C.int(g.KeyWidth), C.int(g.ValueWidth), latent)
	return l
}

// groupPages are the pages of one group.
type groupPages struct {
	engine.Group
	layout C.struct_kv_layout
	bytes  []byte // (pages, page bytes)
}

// pages is how many pages or slots there are.
func (g *groupPages) pages() int { return len(g.bytes) / int(g.layout.page_bytes) }

// page is the memory of one page or slot.
func (g *groupPages) page(i int32) []byte {
	n := int(g.layout.page_bytes)
	return g.bytes[int(i)*n:][:n]
}

// carveGroups hands out the pages of all groups.
func carveGroups(c *hostmem.Carver, p *engine.Program, o engine.LoadOptions) []*groupPages {
	groups := make([]*groupPages, len(p.Groups))
	for i, g := range p.Groups {
		layout := groupLayout(g, o.Policy.KV)
		groups[i] = &groupPages{g, layout, hostmem.Take[byte](c, o.Pages[i]*int(layout.page_bytes))}
	}
	return groups
}

// groupLimits are what a batch may ask of the groups.
func groupLimits(p *engine.Program, o engine.LoadOptions) []engine.GroupLimits {
	bytes := make([]int64, len(p.Groups))
	for i, g := range p.Groups {
		layout := groupLayout(g, o.Policy.KV)
		bytes[i] = int64(layout.page_bytes)
	}
	return lowering.GroupLimits(p, o, bytes)
}

// planGroups are the plan's rows of the groups.
func planGroups(p *engine.Program, o engine.LoadOptions) (rows []engine.PlanGroup) {
	for i, g := range groupLimits(p, o) {
		rows = append(rows, engine.PlanGroup{Name: g.Name, Layers: p.Groups[i].Layers, Pages: g.Pages, PageBytes: g.PageBytes})
	}
	return rows
}

// eachPage tells f of every page that the step of b uses, and whether the step writes it, until f returns an error.
func (in *instance) eachPage(b *engine.Batch, f func(id pageID, written bool) error) error {
	for s, rows := range b.Sequences {
		first := b.Positions[rows.FirstToken]
		for g, group := range in.groups {
			t := b.Tables[s*len(in.groups)+g]
			for i, page := range b.Pages[t.First:][:t.Count] {
				if page == engine.NoSlot {
					continue
				}
				if err := f(pageID{group, page}, in.limits.Groups[g].Writes(t.Base, i, first, first+rows.TokenCount-1)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
