//go:build cuda

package cuda

// #include "plan.h"
import "C"

import (
	"fmt"
	"unsafe"

	"chimera/engine"
	"chimera/hostmem"
)

// This file owns what is done to pages between steps: copies inside a pool, and pages on their way out and in.

// group is a group's pages. On a poisoned device there are none.
func (in *instance) group(id engine.GroupID) (*groupCache, error) {
	if err := in.device.poisoned(); err != nil {
		return nil, err
	}
	if id <= 0 || int(id) > len(in.groups) {
		return nil, &engine.BatchError{Field: "group", Reason: fmt.Sprintf("group %d of %d", id, len(in.groups))}
	}
	return &in.groups[id-1], nil
}

// page is where a page lies.
func (g *groupCache) page(page int32) (Pointer, error) {
	if page < 0 || int(page) >= g.pages {
		return 0, &engine.BatchError{Field: "pages", Reason: fmt.Sprintf("page %d of %d", page, g.pages)}
	}
	return g.at + Pointer(int64(page)*g.pageBytes), nil
}

// CopyPages copies whole pages, copyPairs to a launch.
func (in *instance) CopyPages(id engine.GroupID, copies []engine.PageCopy) error {
	g, err := in.group(id)
	if err != nil {
		return err
	}
	for _, c := range copies {
		for _, page := range []int32{c.From, c.To} {
			if _, err := g.page(page); err != nil {
				return err
			}
		}
	}
	return in.do("copying pages of", func() error {
		for ; len(copies) > 0; copies = copies[min(len(copies), copyPairs):] {
			if err := in.copyPages(g, copies[:min(len(copies), copyPairs)]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (in *instance) copyPages(g *groupCache, copies []engine.PageCopy) error {
	args := hostmem.Slice[C.struct_copy_pages_args](in.bounce, 0, 1)
	size := int64(C.sizeof_struct_copy_pages_args)
	pairs := hostmem.Slice[engine.PageCopy](in.bounce, size, int64(len(copies)))
	copy(pairs, copies)
	at := in.buffers.copyPairs
	args[0] = C.struct_copy_pages_args{page_bytes: C.int64_t(g.pageBytes), count: C.int32_t(len(copies))}
	point(&args[0].pages, g.at)
	point(&args[0].pairs, at+Pointer(size))
	bytes := size + int64(len(copies))*int64(unsafe.Sizeof(copies[0]))
	if err := in.device.copyIn(at, in.bounce.Pointer(), bytes, *in.stream); err != nil {
		return err
	}
	if err := in.device.launch(in.functions["copy_pages"], grid{len(copies), 1, 1}, grid{256, 1, 1}, *in.stream, at); err != nil {
		return err
	}
	return in.device.synchronize(*in.stream) // the bounce region is free again
}

// Export copies a page out through pinned memory, behind the steps that are under way: the ticket is done when it is
// returned, so a page in transfer is never met by a step.
func (in *instance) Export(id engine.GroupID, page int32, dst []byte) (*engine.Ticket, error) {
	g, at, err := in.transferred(id, page, len(dst))
	if err != nil {
		return nil, err
	}
	err = in.do("exporting a page of", func() error {
		if err := in.device.copyOut(in.bounce.Pointer(), at, g.pageBytes, *in.stream); err != nil {
			return err
		}
		return in.device.synchronize(*in.stream)
	})
	if err == nil {
		copy(dst, in.bounce.Bytes())
	}
	return ended(err)
}

// Import copies a page in through pinned memory; see Export.
func (in *instance) Import(id engine.GroupID, page int32, src []byte) (*engine.Ticket, error) {
	g, at, err := in.transferred(id, page, len(src))
	if err != nil {
		return nil, err
	}
	copy(in.bounce.Bytes(), src)
	return ended(in.do("importing a page of", func() error {
		if err := in.device.copyIn(at, in.bounce.Pointer(), g.pageBytes, *in.stream); err != nil {
			return err
		}
		return in.device.synchronize(*in.stream)
	}))
}

// ended is the ticket of a transfer that has ended.
func ended(err error) (*engine.Ticket, error) {
	if err != nil {
		return nil, err
	}
	t, end := engine.NewTicket()
	end(nil)
	return t, nil
}

func (in *instance) transferred(id engine.GroupID, page int32, bytes int) (*groupCache, Pointer, error) {
	g, err := in.group(id)
	if err != nil {
		return nil, 0, err
	}
	at, err := g.page(page)
	if err == nil && int64(bytes) != g.pageBytes {
		err = &engine.BatchError{Field: "pages", Reason: "a buffer of the wrong size"}
	}
	return g, at, err
}
