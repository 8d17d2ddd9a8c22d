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
	if err := in.ready(); err != nil {
		return nil, err
	}
	if id <= 0 || int(id) > len(in.groups) {
		return nil, &engine.BatchError{Field: "groups", Reason: fmt.Sprintf("group %d of %d", id, len(in.groups))}
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
	if err := in.cache.checkCopies(g, copies); err != nil {
		return err
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

// Export copies a page out, behind the steps that are under way.
func (in *instance) Export(id engine.GroupID, page int32, dst []byte) (*engine.Ticket, error) {
	return in.transfer(id, page, dst, false, func(at Pointer) error {
		err := in.device.copyOut(in.bounce.Pointer(), at, int64(len(dst)), *in.stream)
		if err == nil {
			err = in.device.synchronize(*in.stream)
		}
		if err == nil {
			copy(dst, in.bounce.Bytes())
		}
		return err
	})
}

// Import copies a page in, behind the steps that are under way.
func (in *instance) Import(id engine.GroupID, page int32, src []byte) (*engine.Ticket, error) {
	return in.transfer(id, page, src, true, func(at Pointer) error {
		copy(in.bounce.Bytes(), src)
		err := in.device.copyIn(at, in.bounce.Pointer(), int64(len(src)), *in.stream)
		if err == nil {
			err = in.device.synchronize(*in.stream) // the bounce region is free again
		}
		return err
	})
}

// transfer moves a page between the pool and a buffer, through pinned memory, by a task of the device's thread that the
// caller does not wait for.
func (in *instance) transfer(id engine.GroupID, page int32, buffer []byte, isImport bool, move func(at Pointer) error) (*engine.Ticket, error) {
	g, err := in.group(id)
	if err != nil {
		return nil, err
	}
	at, err := g.page(page)
	if err != nil {
		return nil, err
	}
	if int64(len(buffer)) != g.pageBytes {
		return nil, &engine.BatchError{Field: "pages", Reason: fmt.Sprintf("a buffer of %d bytes for pages of %d", len(buffer), g.pageBytes)}
	}
	if err := in.cache.begin(g, page, isImport); err != nil {
		return nil, err
	}
	ticket, end := engine.NewTicket()
	in.transfers.Go(func() {
		err := in.do("moving a page of", func() error { return move(at) })
		in.cache.end(g, page)
		end(err)
	})
	return ticket, nil
}
