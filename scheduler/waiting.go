package scheduler

import "math/bits"

// This file owns who waits, counted by class, length and tenant: so a prediction looks at no request but its own, however many there are.

// line is those that wait, or some of them.
type line struct {
	requests int
	rows     int // of prompts, that the cache does not have
	pages    int // that they want when they are let in
}

func (l *line) add(o line, times int) {
	l.requests += times * o.requests
	l.rows += times * o.rows
	l.pages += times * o.pages
}

// lengths is how many lengths of prompts are told apart: a page, two, four, eight ... as Rules.LengthRatio has them. The shorter one goes first, so
// what is longer delays nobody.
const lengths = 16

// lengthOf is the length of a prompt of which so many rows are not computed.
func lengthOf(rows int) int {
	return min(bits.Len(uint(max(1, pagesTo(rows))))-1, lengths-1)
}

// waitingLine is who waits, behind Lane.mu.
type waitingLine struct {
	line
	own     int // requests, the daemon's
	classes [classes][lengths]line
	tenants map[string]line
}

func (q *waitingLine) change(d *demand, by int) {
	l := line{requests: 1, rows: d.rows, pages: d.pages}
	q.line.add(l, by)
	if d.own {
		q.own += by
	}
	q.classes[d.class][lengthOf(d.rows)].add(l, by)
	one := q.tenants[d.tenant]
	if one.add(l, by); one.requests == 0 {
		delete(q.tenants, d.tenant)
	} else {
		q.tenants[d.tenant] = one
	}
}

// upTo is what is in the queue of the classes up to one.
func (q *waitingLine) upTo(c Class) (l line) {
	if c > Interactive {
		l = q.upTo(c - 1)
	}
	l.add(q.ofClass(c, lengths-1), 1)
	return l
}

// ofClass is what is in the queue of a class, and no longer than that.
func (q *waitingLine) ofClass(c Class, length int) (l line) {
	for _, some := range q.classes[c][:length+1] {
		l.add(some, 1)
	}
	return l
}

// ahead is what is in the queue that goes before a request of the class and length: of higher classes all, of its own what is no longer.
func (q *waitingLine) ahead(c Class, length int) (l line) {
	if c > Interactive {
		l = q.upTo(c - 1)
	}
	l.add(q.ofClass(c, length), 1)
	return l
}

// inTurn is what of a line goes before a tenant's next request: no more than what the tenants that wait have together while it has had what it
// asked, and each of the others one more.
func (q *waitingLine) inTurn(l line, tenant string) line {
	own, there := q.tenants[tenant]
	n := len(q.tenants)
	if !there {
		n++
	}
	if n == 1 || l.requests == 0 {
		return l
	}
	rows, pages := l.rows/l.requests, l.pages/l.requests // of one
	return line{
		requests: min(l.requests, own.requests*n+n-1),
		rows:     min(l.rows, own.rows*n+(n-1)*rows),
		pages:    min(l.pages, own.pages*n+(n-1)*pages),
	}
}
