package api

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
	"time"

	"chimera/scheduler"
)

// This file owns what is told of each request for an answer, or for states, when it has ended, however it did: for receipts, windows and costs.

// AnswerID is an answer's name, 128 random bits: what stands behind chatcmpl- and cmpl- is its 32 hexadecimal digits. Whoever knows it was
// given the answer, or told.
type AnswerID [16]byte

// String is 32 hexadecimal digits.
func (id AnswerID) String() string { return hex.EncodeToString(id[:]) }

// ParseAnswerID reads what String wrote, or a completion's whole id.
func ParseAnswerID(text string) (id AnswerID, ok bool) {
	text = strings.TrimPrefix(strings.TrimPrefix(text, chatPrefix), textPrefix)
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return AnswerID{}, false
	}
	return AnswerID(b), true
}

// What completions' ids begin with.
const (
	chatPrefix = "chatcmpl-"
	textPrefix = "cmpl-"
)

// Answered is a request that has ended for an answer, or for states: these have no tokens, and no name that a receipt would go by. What a client got wrong is none.
type Answered struct {
	Model        string // that it names; "" where it was refused before that was read, or where it names none that is served
	Tenant       string
	Class        scheduler.Class
	Status       int // of its answer; of a stream what it would have had, 499 for a client that hung up
	Ended        time.Time
	PromptTokens int
	Tokens       int
	Queued       time.Duration // 0: it never had a place
	TTFT         time.Duration // 0: it had no token
	ITL          []time.Duration
	Work         *Work // nil: nothing of it was computed
}

// Work is what was computed for a request.
type Work struct {
	ID       AnswerID // zero: its answer has no name
	Numerics string
	Tier     string              // that the answers were computed at
	Drawn    *Drawn              // nil: it is in no sample
	Requests []scheduler.Request // one for each prompt and choice
	Answers  []AnswerWork        // as many; none where states were asked for
	Came     time.Time           // to the queue
	Extra    *Extra              // nil: nothing else was computed of it
	// Confidence is the mean natural log-probability of the answer's tokens under what gave it, Opening that of the first token of a stream; nil where nobody
	// asked for it. See quality/escalate.
	Confidence, Opening *float64
}

// AnswerWork is what was computed for one answer.
type AnswerWork struct {
	Tokens      int
	Cached      int           // tokens of the prompt that the prefix cache had
	Queued      time.Duration // until it had a place
	First, Last time.Time     // when its tokens came; zero: it had none
	Finish      string        // "stop" or "length"; "" where it did not come to its end
	CPU, Device time.Duration // see scheduler.Spent
	Digest      [sha256.Size]byte
	Text        string  // where Config.KeepsTexts or Drawn.KeepsText
	IDs         []int32 // its tokens, where it has a name
}

// Drawn is what is known of an answer that was drawn, when it begins.
type Drawn struct {
	Load      string  // what it found; see Config.Draw
	Share     float64 // the probability that it was drawn with
	KeepsText bool
}

// TokensDigest is what two computations of an answer are compared by: SHA-256 of each answer's digest, which is that of its token ids, four
// bytes each, the lowest first.
func (w *Work) TokensDigest() string {
	h := sha256.New()
	for i := range w.Answers {
		h.Write(w.Answers[i].Digest[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// work is an answer on its way. One goroutine follows it, and who waits for that reads it then.
type work struct {
	AnswerWork
	keepsText bool
	keepsIDs  bool
	text      strings.Builder
	digest    hash.Hash
	weights   string
}

// note takes note of an event, and of what it adds to the answer.
func (w *work) note(e *scheduler.Event, p *piece, seq *scheduler.Sequence) {
	if e.HasToken && !e.Prompt {
		w.Tokens++
		if w.Last = e.At; w.First.IsZero() {
			w.First = e.At
		}
		var id [4]byte
		binary.LittleEndian.PutUint32(id[:], uint32(e.Token))
		w.digest.Write(id[:])
		if w.keepsIDs {
			w.IDs = append(w.IDs, e.Token)
		}
	}
	if w.keepsText {
		w.text.WriteString(p.text)
	}
	w.Finish = p.finish
	w.Cached, w.Queued, w.weights = seq.Cached(), seq.Waited(), seq.Weights()
}

// finished is what there is when nobody follows it any more.
func (w *work) finished() AnswerWork {
	w.digest.Sum(w.Digest[:0])
	w.Text = w.text.String()
	return w.AnswerWork
}

// finished is what was computed, when all sequences of the job have ended.
func (r *runningJob) finished() *Work {
	j := r.job
	w := &Work{ID: j.id, Drawn: j.drawn, Requests: j.requests, Came: r.arrived, Numerics: j.model.Numerics(j.work[0].weights), Tier: j.model.Tier(j.work[0].weights)}
	for i := range j.work {
		w.Answers = append(w.Answers, j.work[i].finished())
	}
	if j.edge != nil {
		w.Extra = j.edge.extra
		w.Confidence, w.Opening = j.edge.sure()
	}
	return w
}

// tellAnswered tells of a request that has ended, once, with what it was answered.
func (c *call) tellAnswered(status int) {
	tell := c.server.Answered
	if tell == nil || !c.generates || isClientsFault(status) {
		return
	}
	f := &c.figures
	tell(Answered{
		Model: cmp.Or(f.model, c.asked), Tenant: c.urgency.tenant, Class: c.urgency.class, Status: status, Ended: time.Now(),
		PromptTokens: f.promptTokens, Tokens: f.tokens, Queued: f.queued, TTFT: f.ttft, ITL: f.itl, Work: f.work,
	})
}

// isClientsFault tells whether a request was no request for an answer that could be given.
func isClientsFault(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != StatusClientGone || status == http.StatusNotImplemented
}
