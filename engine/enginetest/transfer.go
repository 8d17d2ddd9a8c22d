package enginetest

import (
	"encoding/binary"
	"fmt"
	"slices"

	"chimera/engine"
)

// This file owns what moves pages: copies between steps, and transfers beside them.

// pageBytes is what Export writes of a page.
const pageBytes = 8 * engine.PageTokens

// pageOf names a page of a group.
type pageOf struct {
	group engine.GroupID
	page  int32
}

// CopyPages copies pages, when the steps under way are computed.
func (in *Instance) CopyPages(g engine.GroupID, copies []engine.PageCopy) error {
	copies = slices.Clone(copies)
	move := func() {
		for _, c := range copies {
			in.memory[g-1][c.To] = in.memory[g-1][c.From]
		}
	}
	if last := len(in.underWay) - 1; last >= 0 {
		in.underWay[last].behind = append(in.underWay[last].behind, move)
		return nil
	}
	move()
	return nil
}

// Export moves a page out, when Transfer lets it.
func (in *Instance) Export(g engine.GroupID, id int32, dst []byte) (*engine.Ticket, error) {
	return in.transfer(pageOf{g, id}, len(dst), func(p *page) {
		for i, cell := range p {
			binary.LittleEndian.PutUint64(dst[8*i:], cell)
		}
	})
}

// Import moves a page in, when Transfer lets it.
func (in *Instance) Import(g engine.GroupID, id int32, src []byte) (*engine.Ticket, error) {
	return in.transfer(pageOf{g, id}, len(src), func(p *page) {
		for i := range p {
			p[i] = binary.LittleEndian.Uint64(src[8*i:])
		}
	})
}

// transfer moves as late as it may: what is done to page or buffer before the ticket's end shows.
func (in *Instance) transfer(at pageOf, bytes int, move func(*page)) (*engine.Ticket, error) {
	if bytes != pageBytes {
		return nil, &engine.BatchError{Field: "pages", Reason: fmt.Sprintf("%d bytes for a page of %d", bytes, pageBytes)}
	}
	ticket, end := engine.NewTicket()
	in.mu.Lock()
	in.moving[at]++
	in.mu.Unlock()
	go func() {
		if in.Transfer != nil {
			<-in.Transfer
		}
		in.mu.Lock()
		move(&in.memory[at.group-1][at.page])
		in.moving[at]--
		in.mu.Unlock()
		end(nil)
	}()
	return ticket, nil
}

// still refuses a batch that writes a page in transfer.
func (in *Instance) still(b *engine.Batch) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for g := range in.limits.Groups {
		for i := range b.Sequences {
			for _, id := range in.span(b, i, g).writes() {
				if in.moving[pageOf{engine.GroupID(g + 1), id}] > 0 {
					return &engine.BatchError{Field: "pages", Reason: "a page in transfer would be written"}
				}
			}
		}
	}
	return nil
}
