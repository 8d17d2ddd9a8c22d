package engine

// This file owns Ticket: a transfer under way.

// Ticket is the transfer of a page, which runs beside steps.
type Ticket struct {
	done chan struct{}
	err  error
}

// NewTicket returns a ticket, and what its backend calls once when the transfer has ended.
func NewTicket() (t *Ticket, end func(error)) {
	t = &Ticket{done: make(chan struct{})}
	return t, func(err error) {
		t.err = err
		close(t.done)
	}
}

// Done is closed when the transfer has ended.
func (t *Ticket) Done() <-chan struct{} { return t.done }

// Wait blocks until the transfer has ended and returns what went wrong with it.
func (t *Ticket) Wait() error {
	<-t.done
	return t.err
}
