package api

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"chimera/scheduler"
	"chimera/tokenizer"
)

// This file owns the server: what it needs, its routes, and the one place that writes errors, logs
// and counts.

// Engine runs requests; *scheduler.Lane is one.
type Engine interface {
	// SubmitGroup takes all requests or none.
	SubmitGroup(context.Context, []scheduler.Request) ([]*scheduler.Sequence, error)
}

// Template renders a conversation as the model's prompt. context is a JSON object: messages, tools,
// add_generation_prompt and whatever else the client passes on to the template.
type Template interface {
	// Render's error may have a method Field, which names the field that is wrong.
	Render(context jsontext.Value) (Rendered, error)
	// NamesRole says whether the template speaks of a role beyond OpenAI's.
	NamesRole(role string) bool
}

// Rendered is a conversation as a prompt.
type Rendered struct {
	Text string
	// Literal lists the stretches (first byte and the one behind the last, ascending) in which the texts of control tokens
	// stay text: they hold what the client has sent.
	Literal [][2]int
}

// Model is a loaded model as the endpoints see it.
type Model struct {
	Name        string
	Created     time.Time
	Tokenizer   *tokenizer.Tokenizer
	Template    Template // nil: there is none
	NoTemplate  string   // why, where the model has one that can't be used
	Engine      Engine
	Idle        bool        // requests of the daemon's own (own) are computed in idle time alone; clients' never
	Ended       func(Ended) // told of every request to the engine when it has ended; it must not wait. nil: nobody asks
	Cache       Cache       // nil: nothing can be pinned
	MaxContext  int
	MaxLogprobs int
	StateWidth  int // of the final state; 0: the device tells none
	// Numerics is the numerics id of what weights of a digest compute, those that answer now for "".
	Numerics func(weights string) string
	// Tier is the quantisation tier of weights of a digest, of those that answer now for "".
	Tier    func(weights string) string
	Compute Compute
	// Escalation is how answers that it is unsure of are computed again; nil: they are not.
	Escalation *Escalation
	// Tiers are the tiers that there are; At gives the model at one of them, for answers that were computed at it; nil: there is but one. It waits until that is loaded.
	Tiers []string
	At    func(ctx context.Context, tier string, class scheduler.Class) (Held, error)
}

// Ended is a request to an engine that has ended.
type Ended struct {
	Request scheduler.Request
	Ask     *scheduler.Ask // what was known of it, with all that came with it, where it was refused before it had tokens; else nil
	Arrived time.Time
	Answer  int   // tokens that it got; all that it asked for, if it was refused
	Refused error // why it was not taken
	Err     error // why it got no more: the context's error if the client went
}

// Registry finds models.
type Registry interface {
	// Hold gives a request its model, the first one for "", and keeps it loaded until the request lets go of it. It loads one that
	// is not, and waits for that. The error of a name that is not configured is ErrNoModel.
	Hold(ctx context.Context, name string, w Wait) (Held, error)
	// Lookup looks at a model that is loaded, the first one for "", without keeping it so. known tells of a name that is
	// configured, loaded or not.
	Lookup(name string) (m *Model, known bool)
	// Names lists the configured names, the default first.
	Names() []string
	// States tells how each of them is doing, in the same order.
	States() []ModelState
}

// Peer is who sends a request.
type Peer struct {
	Unix     bool // by the Unix socket, as UID; else by TCP
	UID      uint32
	Loopback bool // by TCP, to an address that this machine alone can reach
	// Administers tells who may change what the server holds.
	Administers bool
	Log         slog.Attr
}

// Config is what a Server is made of.
type Config struct {
	Registry Registry
	Metrics  *Metrics
	// RequestContext is done when the request's client has gone, or the server cuts the request off; its cause tells which. It is
	// done at once for a body that did not come whole.
	RequestContext func(*fasthttp.RequestCtx) context.Context
	// Written calls f, once, when the answer that the handler leaves is written, or with why the client has not taken it. nil: f
	// is called at once.
	Written func(ctx *fasthttp.RequestCtx, f func(error))
	// Models loads and unloads; nil: nothing does, and the paths do not exist.
	Models Models
	// Tiers knows the models' quantisation tiers; nil: /v1/tiers does not exist.
	Tiers Tiers
	// Experiments measures changes; nil: /v1/experiments does not exist.
	Experiments Experiments
	// GPUs knows the machine's GPUs; nil: /v1/gpu does not exist.
	GPUs GPUs
	// Memory accounts for off-heap memory; nil: nothing is said of it.
	Memory func() []MemoryUse
	// Utilisation tells of the last minute; nil, and a result of nil: nobody has measured one.
	Utilisation func() *Utilisation
	// State tells why the server does not serve: an error of Loading, scheduler.ErrDraining, or what has failed. It asks no model.
	// nil: it serves.
	State func() error
	// Ready tells why the server is not ready.
	Ready func(context.Context) error
	// Peer tells who sends a request; nil: somebody by TCP.
	Peer  func(*fasthttp.RequestCtx) Peer
	Sites Sites
	// Tenant tells for whose share of the device a request counts, by its peer and its API key ("": it has none); "" is all that
	// are nobody's. nil: all are.
	Tenant func(p Peer, key string) string
	// Tenants are the names that Tenant may tell, but for "". nil: there are none.
	Tenants func() []string
	// Deadline is how long a request of a class may wait for its first token, where it does not say; 0: for ever. nil: all are.
	Deadline func(scheduler.Class) time.Duration
	// IsolateTenants keeps what one client's prompts left in the prefix cache from others; see salt.
	IsolateTenants bool
	// Answered is told of each request for an answer, or for states, when it has ended; it must not wait. nil: nobody asks.
	Answered func(Answered)
	// KeepsTexts has it told what was answered, too.
	KeepsTexts bool
	// Draw tells whether an answer that begins is one of a sample. It must not wait; its result of nil, and a Draw of nil, draw nothing.
	Draw func(id AnswerID, model string, class scheduler.Class) *Drawn
	// Escalations tells of each model how its answers are escalated; nil: none are.
	Escalations func() []EscalationState
	// History is what is remembered; nil: the paths that need it do not exist.
	History History
	// Reports makes reports of what is remembered; nil: the path does not exist.
	Reports Reporter
	MaxBody int // bytes
}

// Server holds the handlers.
type Server struct {
	Config
	routes  map[string]route
	unknown unknownFields
	budgets budgets
	ending  ending
	started time.Time
}

type handler func(*call) error

type route struct {
	method  string
	handler handler
	post    handler // POST of a path that can be got; nil: it takes none
	remove  handler // DELETE of the same path; nil: it takes none
	probe   bool    // asked every few seconds by machines: its log line is for debugging
}

// methods are all that a path takes: the head of what can be got can be had alone.
func (r route) methods() []string {
	switch {
	case r.post != nil && r.remove != nil:
		return []string{"GET", "HEAD", "POST", "DELETE"}
	case r.post != nil:
		return []string{"GET", "HEAD", "POST"}
	case r.method == "GET":
		return []string{"GET", "HEAD"}
	case r.remove != nil:
		return []string{r.method, "DELETE"}
	}
	return []string{r.method}
}

// New makes a server.
func New(c Config) *Server {
	s := &Server{Config: c, budgets: newBudgets(c.MaxBody), started: time.Now()}
	s.routes = map[string]route{
		"/v1/chat/completions": {method: "POST", handler: s.chatCompletions},
		"/v1/completions":      {method: "POST", handler: s.completions},
		"/v1/embeddings":       {method: "POST", handler: s.embeddings},
		"/v1/models":           {method: "GET", handler: s.models},
		"/v1/status":           {method: "GET", handler: s.status},
		"/v1/cache":            {method: "GET", handler: s.cache},
		"/v1/cache/pins":       {method: "POST", handler: s.pin, remove: s.unpin},
		"/v1/replay":           {method: "POST", handler: s.replay},
		"/tokenize":            {method: "POST", handler: s.tokenize},
		"/detokenize":          {method: "POST", handler: s.detokenize},
		"/apply-template":      {method: "POST", handler: s.applyTemplate},
		"/health/live":         {method: "GET", handler: s.live, probe: true},
		"/health/ready":        {method: "GET", handler: s.ready, probe: true},
		"/metrics":             {method: "GET", handler: s.metrics, probe: true},
	}
	if c.Tiers != nil {
		s.routes["/v1/tiers"] = route{method: "GET", handler: s.tiers, post: s.setTier, remove: s.removeTiers}
		c.Metrics.registry.MustRegister(newTierCollector(c.Tiers))
	}
	if c.Experiments != nil {
		s.routes["/v1/experiments"] = route{method: "GET", handler: s.experiments, post: s.runExperiments}
	}
	if c.GPUs != nil {
		s.routes["/v1/gpu"] = route{method: "GET", handler: s.gpus}
		c.Metrics.registry.MustRegister(gpuCollector{c.GPUs})
	}
	if c.History != nil {
		s.routes["/v1/forget"] = route{method: "POST", handler: s.forget}
		s.routes["/v1/feedback"] = route{method: "POST", handler: s.feedback}
		s.routes["/v1/quality"] = route{method: "GET", handler: s.quality}
		c.Metrics.registry.MustRegister(newHistoryCollector(c.History.State))
	}
	if c.Escalations != nil {
		c.Metrics.registry.MustRegister(newEscalationCollector(c.Escalations))
	}
	if c.Reports != nil {
		s.routes["/v1/report"] = route{method: "GET", handler: s.report}
	}
	if c.Memory != nil {
		c.Metrics.registerMemory(c.Memory)
	}
	return s
}

// Handle answers one request.
func (s *Server) Handle(ctx *fasthttp.RequestCtx) {
	c := s.newCall(ctx)
	defer c.leave()
	if err := protect(func() error { return s.dispatch(c) }); err != nil {
		h := c.toHTTP(err)
		writeError(ctx, h)
		c.logFailure(h)
	}
	c.headRequestID()
	c.headCORS()
	if !c.streams {
		c.finishWhenWritten()
	}
}

// Refuse answers what never becomes a request: what came is not HTTP as we take it. Any port that is reached by strangers gets
// such things all day, so the log has them for debugging.
func (s *Server) Refuse(ctx *fasthttp.RequestCtx, status int, reason string) {
	c := &call{RequestCtx: ctx, id: requestID("")}
	h := &HTTPError{Status: status, Type: "invalid_request_error", Message: reason, Code: "bad_request"}
	if status == StatusClientGone {
		h = toHTTP(errClientGone)
	}
	writeError(ctx, h)
	c.headRequestID()
	s.Metrics.requests(status)
	peer := slog.String("peer", "unknown")
	if s.Peer != nil {
		peer = s.Peer(ctx).Log
	}
	slog.Debug("refused", "id", c.id, "status", status, "reason", reason, peer)
}

func (s *Server) dispatch(c *call) (err error) {
	if c.path, err = pathOf(c.RequestURI()); err != nil {
		return err
	}
	if err := s.Sites.check(c); err != nil {
		return err
	}
	r, ok := s.route(c)
	if !ok {
		return s.notFound(c.path)
	}
	c.probe = r.probe
	if c.isPreflight() {
		return c.answerPreflight(strings.Join(r.methods(), ", "))
	}
	if !slices.Contains(r.methods(), c.method) {
		return &HTTPError{
			Status: 405, Type: "invalid_request_error", Code: "method_not_allowed", Allow: strings.Join(r.methods(), ", "),
			Message: fmt.Sprintf("%s takes %s, not %s", c.path, strings.Join(r.methods(), ", "), c.method),
		}
	}
	if err := c.checkEncoding(); err != nil {
		return err
	}
	switch {
	case c.method == "DELETE":
		return r.remove(c)
	case c.method == "POST" && r.post != nil:
		return r.post(c)
	}
	return r.handler(c)
}

// noModel is the answer to a name that no model has.
func (s *Server) noModel(name string) *HTTPError {
	return &HTTPError{
		Status: 404, Type: "invalid_request_error", Param: "model", Code: "model_not_found",
		Message: fmt.Sprintf("model %q does not exist; known are %s", name, strings.Join(s.Registry.Names(), ", ")),
	}
}
