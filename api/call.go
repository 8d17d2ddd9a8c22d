package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// This file owns a request on its way: who sends it, how it is named, what the log says of it.

// call is one request. A stream outlives its handler, and fasthttp may then have given the
// RequestCtx to another connection: what the log wants is copied first, and streams touch nothing of it.
type call struct {
	*fasthttp.RequestCtx
	server  *Server
	id      string
	method  string
	path    string // as it was sent: a route has one spelling; the whole target where that has none
	peer    Peer
	origin  string          // of a page that may use the server, else empty
	ctx     context.Context // see context
	started time.Time       // the last byte of the request was read
	streams bool            // the log line is written when the stream ends, on another goroutine
	probe   bool
	counted int64  // bytes of the body, see count
	vectors int64  // bytes of them, see countVectors
	model   Held   // see hold
	asked   string // the model that it names, if that is served
	urgency urgency
	// generates tells that something was asked for that is computed in steps, as is known with urgency.
	generates bool
	answer    AnswerID // of what is answered
	figures   figures
}

// figures are what the log says of an answer that was computed.
type figures struct {
	model        string
	promptTokens int
	cachedTokens int // of them, taken from the prefix cache
	tokens       int // generated
	queued       time.Duration
	ttft         time.Duration
	itl          []time.Duration // between tokens
	work         *Work           // nil: nothing was computed, or it is not done
}

func (s *Server) newCall(ctx *fasthttp.RequestCtx) *call {
	c := &call{RequestCtx: ctx, server: s, started: time.Now(), method: string(ctx.Method()), path: string(ctx.RequestURI())}
	c.id = requestID(string(ctx.Request.Header.Peek(requestIDHeader)))
	if s.Peer != nil {
		c.peer = s.Peer(ctx)
	}
	return c
}

// context is done when the client has gone. It is first asked for when the body has been read: the
// watch on the connection must not take the body's bytes for a hang-up or the next request.
func (c *call) context() context.Context {
	if c.ctx == nil {
		c.ctx = c.server.RequestContext(c.RequestCtx)
	}
	return c.ctx
}

// salt is whom a request's pages may be shared with: nobody learns from cached_tokens, or from the time that a prompt takes,
// what another asked. Over TCP an API key stands for somebody, and all that have none for one. A key is the same however its
// scheme is written (RFC 9110, section 11.1: without regard to case), as it is for the tenants.
func (c *call) salt() string {
	if !c.server.IsolateTenants {
		return ""
	}
	who := "tcp"
	if c.peer.Unix {
		who = fmt.Sprintf("uid %d", c.peer.UID)
	}
	for _, name := range keyHeaders {
		values := c.Request.Header.PeekAll(name)
		for i, value := range values {
			if token, ok := bearer(string(value)); ok && name == fasthttp.HeaderAuthorization {
				values[i] = []byte("Bearer " + token)
			}
		}
		who += fmt.Sprintf(" %q", values)
	}
	return who
}

// bearer is the token of an Authorization line of that scheme (RFC 6750, section 2.1).
func bearer(line string) (token string, ok bool) {
	scheme, token, _ := strings.Cut(line, " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// keyHeaders are where clients send their key: OpenAI's, Anthropic's and Azure's.
var keyHeaders = []string{fasthttp.HeaderAuthorization, "X-Api-Key", "Api-Key"}

// key is the API key that came with the request, "" where none did.
func (c *call) key() string {
	for _, name := range keyHeaders {
		value := string(c.Request.Header.Peek(name))
		if name == fasthttp.HeaderAuthorization {
			token, ok := bearer(value)
			if !ok {
				continue
			}
			value = token
		}
		if value = strings.TrimSpace(value); value != "" {
			return value
		}
	}
	return ""
}

// checkEncoding refuses bodies that were compressed, before they are taken for bad JSON.
func (c *call) checkEncoding() error {
	for _, line := range c.Request.Header.PeekAll(fasthttp.HeaderContentEncoding) {
		for encoding := range strings.SplitSeq(string(line), ",") {
			encoding = strings.TrimSpace(encoding)
			if encoding != "" && !strings.EqualFold(encoding, "identity") {
				return &HTTPError{
					Status: 415, Type: "invalid_request_error", Code: "unsupported_encoding",
					Message: fmt.Sprintf("Content-Encoding: %s is not supported: send the body as it is", clip(validUTF8(encoding), maxParam)),
				}
			}
		}
	}
	return nil
}

// toHTTP gives an error its answer. Where the request's context has ended, its cause tells whose doing that was.
func (c *call) toHTTP(err error) *HTTPError {
	if c.ctx != nil && errors.Is(err, context.Canceled) {
		err = cmp.Or(context.Cause(c.ctx), err)
	}
	return toHTTP(err)
}

// requestIDHeader names a request, by the client's choice or by ours, in the answer and in the log.
const requestIDHeader = "X-Request-Id"

// maxRequestID is what tracing systems need (a W3C trace has 55) with room to spare.
const maxRequestID = 128

// requestID is the client's, if it can stand in a log, or a new one.
func requestID(given string) string {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }
	if given != "" && len(given) <= maxRequestID && strings.IndexFunc(given, odd) < 0 {
		return given
	}
	var random [12]byte
	rand.Read(random[:]) // never fails
	return "req-" + hex.EncodeToString(random[:])
}

// What has computed an answer: its numerics id, as system_fingerprint says it in the body, and the model's quantisation tier.
const (
	numericsHeader = "X-Chimera-Numerics"
	tierHeader     = "X-Chimera-Tier"
)

// headComputed says what weights of a digest have computed the answer.
func (c *call) headComputed(m *Model, weights string) {
	c.Response.Header.Set(numericsHeader, m.Numerics(weights))
	c.Response.Header.Set(tierHeader, m.Tier(weights))
}

func (c *call) headRequestID() { c.Response.Header.Set(requestIDHeader, c.id) }

// logFailure logs what is the server's own fault: what it refuses on purpose has no cause.
func (c *call) logFailure(h *HTTPError) {
	if h.Status >= 500 && h.Cause != nil {
		slog.Error("request failed", "id", c.id, "path", c.path, "status", h.Status, "cause", h.Cause)
	}
}

// finishWhenWritten logs and counts a whole answer. What was to be a success and was not taken is none.
func (c *call) finishWhenWritten() {
	status := c.Response.StatusCode()
	written := func(err error) {
		if err != nil && status < 400 {
			status = StatusClientGone
		}
		c.finish(status)
	}
	if c.server.Written == nil {
		written(nil)
		return
	}
	c.server.Written(c.RequestCtx, written)
}

// finish logs and counts, once per request.
func (c *call) finish(status int) {
	c.forgetVectors()
	c.server.Metrics.requests(status)
	c.tellAnswered(status)
	c.server.ending.end(c.answer)
	level := slog.LevelInfo
	if c.probe {
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("id", c.id), slog.String("method", c.method), slog.String("path", clip(c.path, maxPath)),
		slog.Int("status", status), slog.Int64("ms", time.Since(c.started).Milliseconds()),
	}
	slog.LogAttrs(context.Background(), level, "request", slices.Concat(attrs, c.figures.attrs(), c.urgency.attrs(), []slog.Attr{c.peer.Log})...)
}

// maxPath bounds what the log repeats of a path.
const maxPath = 256

func (f *figures) attrs() []slog.Attr {
	if f.model == "" {
		return nil
	}
	attrs := []slog.Attr{
		slog.String("model", f.model), slog.Int("prompt_tokens", f.promptTokens), slog.Int("cached_tokens", f.cachedTokens),
		slog.Int("tokens", f.tokens),
	}
	if f.queued > 0 { // else it never had a place, and ms is for how long it waited
		attrs = append(attrs, slog.Int64("queue_ms", f.queued.Milliseconds()))
	}
	if f.tokens > 0 {
		attrs = append(attrs, slog.Int64("ttft_ms", f.ttft.Milliseconds()))
	}
	if f.work != nil && f.work.Extra != nil && f.work.Extra.From != "" {
		attrs = append(attrs, slog.String("escalated_from", f.work.Extra.From))
	}
	return attrs
}
