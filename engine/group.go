package engine

import "fmt"

// This file owns Group: layers that remember alike, and so share page ids.

// GroupID names a group of a Program, from 1.
type GroupID int32

// Mask tells which positions a query sees.
type Mask uint8

// The masks of a group.
const (
	Causal        Mask = iota + 1 // its own position and all before
	Window                        // its own and Group.Window-1 before: pages that no later query sees may be given away
	Bidirectional                 // all of its sequence, whose tokens are in one step
	Cross                         // all that another program has written for the sequence: Table.Length of them
)

// maxHeadElements bounds a head: latent attention needs 576.
const maxHeadElements = 1024

// Group is some layers of equal geometry and mask. A sequence has one page table in each group, and a
// page holds PageTokens positions of all the group's layers: page ids of one group mean nothing in another.
//
// A group with State is one of recurrent layers. It has slots instead of pages: what a slot holds of a
// sequence does not grow. A step reads one slot and writes another (Table), so that a step which was
// aborted has changed nothing, and a slot that is kept is a snapshot.
type Group struct {
	Name   string
	Layers int

	Mask       Mask
	Window     int // of mask Window
	Heads      int // KV heads
	KeyWidth   int // elements of a head's K
	ValueWidth int // and of its V
	// Latent: V is the last ValueWidth elements of K, and stored once, as K.
	Latent bool

	State int // elements of a slot, per layer; 0: the group has pages
}

// PagesFor is how many pages or slots a sequence of so many positions takes at most, when a step computes
// up to stepTokens of them.
func (g Group) PagesFor(positions, stepTokens int) int {
	if g.State > 0 {
		return 2
	}
	pages := (positions + PageTokens - 1) / PageTokens
	if g.Mask == Window { // the first page may hold one position that is seen, the last one that is written
		pages = min(pages, (g.Window-1+stepTokens+2*(PageTokens-1))/PageTokens)
	}
	return pages
}

// FirstSeen is the first position that a query at position sees.
func (g Group) FirstSeen(position int) int { return firstSeen(g.Mask, g.Window, position) }

func firstSeen(m Mask, window, position int) int {
	if m == Window {
		return max(0, position-window+1)
	}
	return 0
}

// check tells what is wrong with the group.
func (g Group) check() error {
	switch kv := g.State == 0; {
	case g.Layers <= 0:
		return fmt.Errorf("%d layers", g.Layers)
	case g.State < 0 || !kv && g != Group{Name: g.Name, Layers: g.Layers, State: g.State}:
		return fmt.Errorf("a state of %d elements beside keys and values", g.State)
	case !kv:
		return nil
	case g.Mask < Causal || g.Mask > Cross:
		return fmt.Errorf("mask %d", g.Mask)
	case (g.Mask == Window) != (g.Window > 0) || g.Window < 0:
		return fmt.Errorf("a window of %d with mask %d", g.Window, g.Mask)
	case g.Heads <= 0:
		return fmt.Errorf("%d KV heads", g.Heads)
	case g.KeyWidth <= 0 || g.KeyWidth > maxHeadElements || g.ValueWidth <= 0 || g.ValueWidth > maxHeadElements:
		return fmt.Errorf("heads of %d and %d elements; 1 to %d are supported", g.KeyWidth, g.ValueWidth, maxHeadElements)
	case g.Latent && g.ValueWidth > g.KeyWidth:
		return fmt.Errorf("%d elements of V as a part of K, which has %d", g.ValueWidth, g.KeyWidth)
	}
	return nil
}

// group is what of a Group counts for its pages.
func (g GroupLimits) group() Group {
	out := Group{Mask: g.Mask, Window: g.Window}
	if g.Slots {
		out.State = 1
	}
	return out
}

// FirstSeen is as Group.FirstSeen.
func (g *GroupLimits) FirstSeen(position int) int { return firstSeen(g.Mask, g.Window, position) }

// PagesFor is as Group.PagesFor.
func (g GroupLimits) PagesFor(positions, stepTokens int) int {
	return g.group().PagesFor(positions, stepTokens)
}

// Writes tells whether a step of positions first to last of a sequence writes entry i of the sequence's table, whose first
// page is number base.
func (g GroupLimits) Writes(base int32, i int, first, last int32) bool {
	if g.Slots {
		return i == 1 // the first is read
	}
	page := base + int32(i)
	return g.Written && page >= first/PageTokens && page <= last/PageTokens
}
