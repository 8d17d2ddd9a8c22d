package api

import (
	"fmt"
	"io"

	"golang.org/x/sync/semaphore"
)

// This file owns what requests may take of the heap beside their tokens: bodies that are being read, texts that are being tokenised, and vectors that are
// computed and sent. What is counted is bytes, since a count of requests says nothing.

const (
	// openBodies is how many of the largest bodies may be held at a time. Each is there three times while it is decoded.
	openBodies, bodyCopies = 4, 3
	// tokenBytes is what a byte of text takes while it is tokenised, if no word ends: its symbol, and a pair or two.
	tokenBytes = 56
	// smallText is a text that never waits for a large one, which may take seconds. So many bytes of such are tokenised at a time.
	smallText, smallTexts = 128 << 10, 1 << 20
	// freeBody is what any connection may send without being counted.
	freeBody = 64 << 10
	// mostVectorBytes is what vectors may take at a time, from before they are computed until their answer is written: a million numbers as text.
	mostVectorBytes = 64 << 20
)

// numberBytes is what a number of a vector takes by its encoding: twelve bytes while it is summed up, and its text (17 characters at most, or in base64 16/3
// for four bytes more) three times, as it is encoded, copied and sent.
var numberBytes = map[string]int64{"float": 64, "base64": 32}

// HeapBytes is what requests may take of the heap together, where bodies have at most maxBody bytes. Sequences' own tokens and
// events, bounded by the queue, come on top.
func HeapBytes(maxBody int) int64 {
	return int64(maxBody)*(openBodies*bodyCopies+tokenBytes) + smallTexts*tokenBytes + mostVectorBytes
}

// budgets are the bytes that may be held at a time.
type budgets struct {
	bodies       *semaphore.Weighted
	vectors      *semaphore.Weighted
	small, large *semaphore.Weighted // texts; of large ones as much as one largest body
	maxText      int64
}

func newBudgets(maxBody int) budgets {
	return budgets{
		bodies: semaphore.NewWeighted(openBodies * int64(maxBody)), vectors: semaphore.NewWeighted(mostVectorBytes), small: semaphore.NewWeighted(smallTexts),
		large: semaphore.NewWeighted(int64(maxBody)), maxText: int64(maxBody),
	}
}

// readAll reads a body of at most limit bytes, in pieces that are counted as they come: who sends slowly holds no more than
// what was sent. It never waits for others, who may wait themselves.
func (c *call) readAll(body io.Reader, limit int) ([]byte, error) {
	raw := make([]byte, 0, 4<<10)
	for {
		n, err := body.Read(raw[len(raw):cap(raw)])
		raw = raw[:len(raw)+n]
		switch {
		case err == io.EOF:
			return raw, nil
		case err != nil:
			return nil, c.unreadable(err)
		case len(raw) > limit:
			return raw, nil // which is refused
		case len(raw) < cap(raw):
			continue
		}
		larger := min(2*cap(raw), limit+1)
		if err := c.count(larger); err != nil {
			return nil, err
		}
		raw = append(make([]byte, 0, larger), raw...)
	}
}

// count counts a body of so many bytes in all, until release.
func (c *call) count(bytes int) error {
	more := int64(bytes) - c.counted
	if bytes <= freeBody || more <= 0 {
		return nil
	}
	if !c.server.budgets.bodies.TryAcquire(more) {
		return &HTTPError{
			Status: 429, Type: "rate_limit_error", Code: "too_many_bodies",
			Message: "too many large requests are being read: try again in a moment",
		}
	}
	c.counted += more
	return nil
}

// release ends the count: of the body nothing is left but token ids, or it is refused.
func (c *call) release() {
	c.server.budgets.bodies.Release(c.counted)
	c.counted = 0
}

// countVectors counts so many vectors until the request has ended. It never waits for others, whose clients may be slow.
func (c *call) countVectors(field string, n, width int, encoding string) error {
	bytes := int64(n) * int64(width) * numberBytes[encoding]
	if bytes > mostVectorBytes {
		return badField(field, "%d vectors of %d numbers take %d MiB while they are answered, at most %d are allowed: send fewer texts at a time, or ask for base64",
			n, width, bytes>>20, mostVectorBytes>>20)
	}
	if !c.server.budgets.vectors.TryAcquire(bytes) {
		return &HTTPError{
			Status: 429, Type: "rate_limit_error", Code: "too_many_vectors",
			Message: "too many vectors are being computed or sent: try again in a moment",
		}
	}
	c.vectors = bytes
	return nil
}

// forgetVectors ends that count.
func (c *call) forgetVectors() {
	c.server.budgets.vectors.Release(c.vectors)
	c.vectors = 0
}

// tokenise runs encode for a text of so many bytes when there is room for it.
func (c *call) tokenise(bytes int, encode func() []int32) ([]int32, error) {
	b := &c.server.budgets
	texts := b.small
	if bytes > smallText {
		texts = b.large
	}
	weight := min(int64(bytes), b.maxText) // a template may have made the text larger than any body
	if err := texts.Acquire(c.context(), weight); err != nil {
		return nil, err
	}
	defer texts.Release(weight)
	return encode(), nil
}

// shrink is how much shorter a text becomes at most by normalisation (NFC), before it is tokenised.
const shrink = 3

// promptIDs tokenises a prompt, unless its length alone shows that it has more tokens than the context.
func (c *call) promptIDs(m *Model, field, text string, encode func() []int32) ([]int32, error) {
	if most := m.MaxContext * m.Tokenizer.LongestPiece() * shrink; len(text) > most {
		return nil, m.tooLong(field, fmt.Sprintf("%d bytes, which are more than %d tokens", len(text), m.MaxContext), 1)
	}
	return c.tokenise(len(text), encode)
}
