package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"chimera/scheduler"
	"chimera/tokenizer"
)

// This file owns the server: what it needs, its routes, and the one place that writes errors, logs
// and counts.

// Engine runs requests; *scheduler.Scheduler is one.
type Engine interface {
	Submit(context.Context, scheduler.Request) (*scheduler.Sequence, error)
}

// Template renders a conversation as the model's prompt. context is a JSON object: messages, tools,
// add_generation_prompt and whatever else the client passes on to the template.
type Template interface {
	Render(context jsontext.Value) (string, error)
}

// Model is a loaded model as the endpoints see it.
type Model struct {
	Name        string
	Created     time.Time
	Tokenizer   *tokenizer.Tokenizer
	Template    Template // nil: the model has none
	Engine      Engine
	MaxContext  int
	MaxLogprobs int
	NumericsID  string // system_fingerprint of every answer
}

// Registry finds models.
type Registry interface {
	// Lookup returns the model, the first one for "". known tells of a name that is configured, loaded
	// or not.
	Lookup(name string) (m *Model, known bool)
	// Names lists the configured names, the default first.
	Names() []string
}

// Config is what a Server is made of.
type Config struct {
	Registry Registry
	Metrics  *Metrics
	// RequestContext is done when the request's client has gone.
	RequestContext func(*fasthttp.RequestCtx) context.Context
	// GPUs knows the machine's GPUs; nil: /v1/gpu does not exist.
	GPUs GPUs
	// Ready makes a real decode; its error is why the server is not ready.
	Ready func(context.Context) error
	// Peer names the client in the log.
	Peer    func(*fasthttp.RequestCtx) slog.Attr
	MaxBody int // bytes
}

// Server holds the handlers.
type Server struct {
	Config
	routes map[string]route
}

type handler func(*call) error

type route struct {
	method  string
	handler handler
}

// call is one request on its way. A stream outlives its handler, and fasthttp may then have given the
// RequestCtx to another connection: what the log wants is copied first, and streams touch nothing of it.
type call struct {
	*fasthttp.RequestCtx
	server  *Server
	method  string
	path    string
	peer    slog.Attr
	ctx     context.Context // see context
	started time.Time       // the last byte of the request was read
	tokens  int             // generated, for the log
	ttft    time.Duration
	streams bool // the log line is written when the stream ends, on another goroutine
}

// context is done when the client has gone. It is first asked for when the body has been read: the
// watch on the connection must not take the body's bytes for a hang-up or the next request.
func (c *call) context() context.Context {
	if c.ctx == nil {
		c.ctx = c.server.RequestContext(c.RequestCtx)
	}
	return c.ctx
}

// New makes a server.
func New(c Config) *Server {
	s := &Server{Config: c}
	s.routes = map[string]route{
		"/v1/chat/completions": {"POST", s.chatCompletions},
		"/v1/completions":      {"POST", s.completions},
		"/v1/models":           {"GET", s.models},
		"/tokenize":            {"POST", s.tokenize},
		"/detokenize":          {"POST", s.detokenize},
		"/apply-template":      {"POST", s.applyTemplate},
		"/health/live":         {"GET", s.live},
		"/health/ready":        {"GET", s.ready},
		"/metrics":             {"GET", s.metrics},
	}
	if c.GPUs != nil {
		s.routes["/v1/gpu"] = route{"GET", s.gpus}
		c.Metrics.registry.MustRegister(gpuCollector{c.GPUs})
	}
	return s
}

// Handle answers one request.
func (s *Server) Handle(ctx *fasthttp.RequestCtx) {
	c := &call{RequestCtx: ctx, server: s, started: time.Now(), method: string(ctx.Method()), path: string(ctx.Path())}
	if s.Peer != nil {
		c.peer = s.Peer(ctx)
	}
	if err := protect(func() error { return s.dispatch(c) }); err != nil {
		s.answerError(c, err)
	}
	if !c.streams {
		c.finish(ctx.Response.StatusCode())
	}
}

func (s *Server) dispatch(c *call) error {
	r, ok := s.routes[c.path]
	if name, isModel := strings.CutPrefix(c.path, "/v1/models/"); isModel && name != "" {
		r, ok = route{"GET", func(c *call) error { return s.model(c, name) }}, true
	}
	if !ok {
		return &HTTPError{Status: 404, Type: "invalid_request_error", Code: "not_found", Message: fmt.Sprintf("there is no %s", c.path)}
	}
	if c.method != r.method && !(r.method == "GET" && c.method == "HEAD") {
		c.Response.Header.Set("Allow", r.method)
		return &HTTPError{Status: 405, Type: "invalid_request_error", Code: "method_not_allowed", Message: fmt.Sprintf("%s takes %s, not %s", c.path, r.method, c.method)}
	}
	return r.handler(c)
}

// toHTTP gives an error its answer. Where the request's context has ended, its cause tells whose doing that was.
func (c *call) toHTTP(err error) *HTTPError {
	if c.ctx != nil && errors.Is(err, context.Canceled) {
		err = cmp.Or(context.Cause(c.ctx), err)
	}
	return toHTTP(err)
}

func (s *Server) answerError(c *call, err error) {
	h := c.toHTTP(err)
	allow := string(c.Response.Header.Peek("Allow"))
	WriteError(c.RequestCtx, h)
	if allow != "" {
		c.Response.Header.Set("Allow", allow)
	}
	c.logFailure(h)
}

// logFailure logs what is the server's own fault: what it refuses on purpose has no cause.
func (c *call) logFailure(h *HTTPError) {
	if h.Status >= 500 && h.Cause != nil {
		slog.Error("request failed", "path", c.path, "status", h.Status, "cause", h.Cause)
	}
}

// finish logs and counts, once per request.
func (c *call) finish(status int) {
	c.server.Metrics.requests(status)
	attrs := []any{"method", c.method, "path", c.path, "status", status, "ms", time.Since(c.started).Milliseconds()}
	if c.tokens > 0 {
		attrs = append(attrs, "tokens", c.tokens, "ttft_ms", c.ttft.Milliseconds())
	}
	slog.Info("request", append(attrs, c.peer)...)
}

// lookup finds the request's model.
func (s *Server) lookup(name string) (*Model, error) {
	m, known := s.Registry.Lookup(name)
	switch {
	case m != nil:
		return m, nil
	case known:
		return nil, &HTTPError{Status: 503, Type: "server_error", Param: "model", Code: "model_not_loaded", Message: fmt.Sprintf("model %q is not loaded", name)}
	}
	return nil, &HTTPError{
		Status: 404, Type: "invalid_request_error", Param: "model", Code: "model_not_found",
		Message: fmt.Sprintf("model %q does not exist; known are %s", name, strings.Join(s.Registry.Names(), ", ")),
	}
}
