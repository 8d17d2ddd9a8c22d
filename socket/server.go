package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// This file owns the server: one handler for all listeners, with limits.

// limits bound what a client can hold without paying for it.
type limits struct {
	read, idle, write time.Duration
	end, drain        time.Duration
	connections       int
}

// defaultLimits are the ones that are served with; only tests are less patient.
var defaultLimits = limits{
	read:        60 * time.Second,  // a whole request, from its first byte
	idle:        300 * time.Second, // between requests
	write:       30 * time.Second,  // each piece of an answer: a client that does not read for so long is gone
	end:         2 * time.Second,   // what answers that Shutdown cut off have to say so
	drain:       5 * time.Second,   // what a client still sends that has its answer
	connections: 16384,             // of one listener
}

const (
	idleWorker = 2 * time.Second // goroutines kept for the next connection
	headBytes  = 16 << 10
)

// StatusClientGone is what refusals of clients that went are counted as; nobody receives it.
const StatusClientGone = 499

// ErrHead is wrapped by errors about requests that were refused by their head.
var ErrHead = errors.New("bad request head")

// Config is what a Server serves.
type Config struct {
	Handler fasthttp.RequestHandler // one that answers HTTP/1.0 with a stream gives its length: chunks are none of it
	// Refuse answers requests that reach no handler, with the status and the reason.
	Refuse func(ctx *fasthttp.RequestCtx, status int, reason string)
	// MaxBody is how many bytes are buffered at most. Of a body that promises more the handler gets nothing but its length in the head; one
	// of unknown length it reads as a stream, with its own limit.
	MaxBody int
	// Stopped is why the contexts of requests end that Shutdown cuts off (context.Cause). That of a request whose client went
	// is context.Canceled.
	Stopped error
}

// Server serves any number of listeners.
type Server struct {
	http    *fasthttp.Server
	limits  limits
	watcher *watcher
	ctx     context.Context // parent of all requests
	cut     func()          // ends it
	serving sync.WaitGroup
	answers sync.WaitGroup // that somebody wants to know of, see OnWritten
	errs    chan error
}

// NewServer makes a server; Serve adds listeners.
func NewServer(c Config) (*Server, error) { return newServer(c, defaultLimits) }

func newServer(c Config, l limits) (*Server, error) {
	w, err := newWatcher()
	if err != nil {
		return nil, fmt.Errorf("watching connections: %w", err)
	}
	s := &Server{limits: l, watcher: w, errs: make(chan error, 16)}
	ctx, cancel := context.WithCancelCause(context.Background())
	s.ctx, s.cut = ctx, func() { cancel(c.Stopped) }
	s.http = &fasthttp.Server{
		Handler: s.guard(c), ErrorHandler: refusal(c), HeaderReceived: leaveUnread(c.MaxBody), Name: "chimera",
		StreamRequestBody: true, ReduceMemoryUsage: true, DisablePreParseMultipartForm: true,
		MaxRequestBodySize: c.MaxBody, ReadBufferSize: headBytes, ReadTimeout: l.read, IdleTimeout: l.idle,
		Concurrency: l.connections, MaxIdleWorkerDuration: idleWorker, CloseOnShutdown: true, Logger: quiet{},
	}
	return s, nil
}

// quiet drops fasthttp's own lines about broken connections: the access log has what matters.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// serverKey is where a request finds its server.
const serverKey = "chimera.server"

// guard refuses heads that could be smuggled and remembers the server.
func (s *Server) guard(c Config) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if err := errors.Join(checkVersion(ctx), checkHead(ctx.Request.Header.RawHeaders())); err != nil {
			c.Refuse(ctx, fasthttp.StatusBadRequest, fmt.Sprintf("%v: %v", ErrHead, err))
			ctx.SetConnectionClose() // where the next request begins can't be known
			return
		}
		showUnread(ctx)
		ctx.SetUserValue(serverKey, s)
		c.Handler(ctx)
	}
}

// refusal gives fasthttp's own errors our form.
func refusal(c Config) func(*fasthttp.RequestCtx, error) {
	return func(ctx *fasthttp.RequestCtx, err error) {
		var small *fasthttp.ErrSmallBuffer
		var network net.Error
		var head headError
		conn, _ := ctx.Conn().(*conn)
		switch {
		case errors.As(err, &small):
			c.Refuse(ctx, fasthttp.StatusRequestHeaderFieldsTooLarge, "the request head is too large")
		case errors.Is(err, fasthttp.ErrBodyTooLarge):
			c.Refuse(ctx, fasthttp.StatusRequestEntityTooLarge, fmt.Sprintf("the request body has more than the %d bytes that are allowed (max_body)", c.MaxBody))
		case errors.As(err, &network) && network.Timeout():
			c.Refuse(ctx, fasthttp.StatusRequestTimeout, "the request took too long to arrive")
		case errors.As(err, &head):
			c.Refuse(ctx, fasthttp.StatusBadRequest, fmt.Sprintf("%v: %v", ErrHead, head))
		case conn != nil && errors.Is(conn.cutShort(), context.Canceled):
			c.Refuse(ctx, StatusClientGone, "the client went before its request was whole")
		default:
			c.Refuse(ctx, fasthttp.StatusBadRequest, "the request is not valid HTTP")
		}
	}
}

// RequestContext is done when the client of the request hangs up or the server stops at once. Ask for
// it when the body has been read; it lasts until the answer is written. That of a body that did not come whole is done at once: its
// cause is context.Canceled if the client went, os.ErrDeadlineExceeded if it took too long.
func RequestContext(ctx *fasthttp.RequestCtx) context.Context {
	s, _ := ctx.UserValue(serverKey).(*Server)
	c, ok := ctx.Conn().(*conn)
	if s == nil || !ok {
		return context.Background()
	}
	return c.begin(s.ctx)
}

// OnWritten calls f, once, when the answer that the handler is about to leave is written, or with why the client has not taken
// it. Of ctx f must know nothing: it may be another request's by then.
func OnWritten(ctx *fasthttp.RequestCtx, f func(error)) {
	if c, ok := ctx.Conn().(*conn); ok {
		c.endRequest()
		c.tell(f)
		return
	}
	f(nil)
}

// Serve accepts connections of l until Shutdown. It returns when fasthttp knows l: a Shutdown that came
// before would close the other listeners only, and wait for this one for ever.
func (s *Server) Serve(l net.Listener) {
	wrapped := &listener{Listener: l, server: s, served: make(chan struct{})}
	s.serving.Go(func() {
		if err := s.http.Serve(wrapped); err != nil {
			s.errs <- fmt.Errorf("serving %s: %w", l.Addr(), err)
		}
	})
	<-wrapped.served
}

// Errors gives the errors of listeners that failed.
func (s *Server) Errors() <-chan error { return s.errs }

// Shutdown stops accepting and lets requests end. When ctx is done it cuts off what is left: the requests' contexts end, and
// the answers that say so are waited for. It is an error that some were.
func (s *Server) Shutdown(ctx context.Context) error {
	said, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	stop := context.AfterFunc(ctx, func() {
		s.cut()
		time.AfterFunc(s.limits.end, giveUp)
	})
	err := s.http.ShutdownWithContext(said)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	s.cut()
	s.serving.Wait()
	if err == nil { // all connections are about to close
		s.answers.Wait()
	}
	s.watcher.close()
	return err
}
