package socket

import (
	"sync"

	"golang.org/x/sys/unix"
)

// This file owns the watch for hang-ups: one goroutine and one epoll for all connections.
//
// Rejected: reading ahead on the connection, which would take bytes that belong to the next request;
// and polling by timers, which costs in proportion to idle streams.

// watcher tells connections when their peer is gone.
type watcher struct {
	epoll, stop int // stop is an eventfd

	mu    sync.Mutex
	next  int32
	conns map[int32]*conn
	done  chan struct{}
}

func newWatcher() (*watcher, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(epoll)
		return nil, err
	}
	w := &watcher{epoll: epoll, stop: stop, conns: map[int32]*conn{}, done: make(chan struct{})}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, stop, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		w.closeFiles()
		return nil, err
	}
	go w.run()
	return w, nil
}

// add watches fd once; the id is never 0. A connection that cannot be watched (no descriptor) is not:
// its next write will fail.
func (w *watcher) add(c *conn, fd int, events uint32) int32 {
	w.mu.Lock()
	w.next = max(w.next+1, 1)
	for w.conns[w.next] != nil {
		w.next = max(w.next+1, 1)
	}
	id := w.next
	w.conns[id] = c
	w.mu.Unlock()
	if fd >= 0 {
		_ = unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events | unix.EPOLLONESHOT, Fd: id})
	}
	return id
}

func (w *watcher) remove(id int32, fd int) {
	w.mu.Lock()
	delete(w.conns, id)
	w.mu.Unlock()
	if fd >= 0 {
		_ = unix.EpollCtl(w.epoll, unix.EPOLL_CTL_DEL, fd, nil)
	}
}

func (w *watcher) run() {
	defer close(w.done)
	events := make([]unix.EpollEvent, 64)
	for {
		n, err := unix.EpollWait(w.epoll, events, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return // the descriptors are ours alone: only close makes this happen
		}
		for _, e := range events[:n] {
			if e.Fd == 0 {
				return
			}
			w.mu.Lock()
			c := w.conns[e.Fd]
			w.mu.Unlock()
			if c != nil {
				c.hangUp()
			}
		}
	}
}

func (w *watcher) close() {
	one := [8]byte{1}
	_, _ = unix.Write(w.stop, one[:])
	<-w.done
	w.closeFiles()
}

func (w *watcher) closeFiles() {
	unix.Close(w.stop)
	unix.Close(w.epoll)
}
