package control

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// This file owns which answers are drawn.

// Draw takes a share of answers by a keyed hash of their ids. An id is the server's own 128 random bits, and the key is nobody's but the process's:
// what a client asks, how often, or which ids it was given, tells it nothing of what will be drawn, and changes nothing.
type Draw struct{ key [sha256.Size]byte }

// NewDraw has a key of its own.
func NewDraw() *Draw {
	d := new(Draw)
	rand.Read(d.key[:]) // never fails
	return d
}

// Takes tells whether the answer is in that share, 0 to 1, of all. One that is in a share is in each larger one.
func (d *Draw) Takes(id [16]byte, share float64) bool {
	h := hmac.New(sha256.New, d.key[:])
	h.Write(id[:])
	const parts = 1 << 53 // as many as a float64 tells apart
	part := binary.LittleEndian.Uint64(h.Sum(nil)) % parts
	return float64(part)/parts < share
}
