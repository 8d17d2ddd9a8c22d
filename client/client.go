// Package client is what the verbs do against a running daemon, over HTTP alone.
//
// This file owns the connection: a Unix socket or an address, and errors as the daemon words them.
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
)

// Client talks to one daemon.
type Client struct {
	base    string
	address string
	http    *http.Client

	Loading Patience    // with a daemon that still loads its model
	Header  http.Header // sent with each request beside its own: a key, a class
}

// New makes a client for an address: http://HOST:PORT, https://..., HOST:PORT, a port of this machine, or
// the path of a Unix socket.
func New(address string) *Client {
	if _, err := strconv.ParseUint(address, 10, 16); err == nil {
		address = "127.0.0.1:" + address
	}
	if _, _, err := net.SplitHostPort(address); err == nil && !strings.Contains(address, "/") {
		address = "http://" + address
	}
	if strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://") {
		return &Client{base: strings.TrimSuffix(address, "/"), address: address, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4096, DisableCompression: true}}}
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return dialUnix(ctx, address) }
	return &Client{base: "http://chimera", address: address, http: &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 4096, DisableCompression: true}}}
}

// ErrNoDaemon is in the chain of errors of a server that is not there.
var ErrNoDaemon = errors.New("no daemon answers")

// StatusError is an answer other than 200.
type StatusError struct {
	Status  int
	Message string
	Code    string // of the error, as docs/HTTP.md has them; "" where the server says none

	loading    bool          // the daemon is there, its model is not yet
	retryAfter time.Duration // 0: the server does not say
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the server answered %d: %s", e.Status, e.Message)
}

// RetryAfter is when the server would be asked again; 0 where it does not say.
func (e *StatusError) RetryAfter() time.Duration { return e.retryAfter }

// post sends v and returns the answer's body, which the caller closes.
func (c *Client) post(ctx context.Context, path string, v any) (io.ReadCloser, error) {
	return c.send(ctx, http.MethodPost, path, v)
}

func (c *Client) send(ctx context.Context, method, path string, v any) (io.ReadCloser, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header["Idempotency-Key"] = nil // not sent: where a server has closed an idle connection meanwhile, it is asked over another
	return c.do(req)
}

// get returns the answer's body, which the caller closes.
func (c *Client) get(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	return c.do(req)
}

func (c *Client) do(req *http.Request) (io.ReadCloser, error) {
	for name, values := range c.Header {
		req.Header[name] = values
	}
	connected := false
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected = true }}
	answer, err := c.http.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		return nil, c.explain(err, connected)
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	return nil, statusError(answer)
}

func statusError(answer *http.Response) *StatusError {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	var body struct {
		Error struct {
			Message string `json:"message"`
			Code    string `json:"code"`
		} `json:"error"`
	}
	e := &StatusError{Status: answer.StatusCode, Message: strings.TrimSpace(string(text))}
	if json.Unmarshal(text, &body) == nil && body.Error.Message != "" {
		e.Message, e.Code = body.Error.Message, body.Error.Code
		e.loading = e.Status == http.StatusServiceUnavailable && e.Code == "loading"
	}
	if seconds, err := strconv.ParseUint(answer.Header.Get("Retry-After"), 10, 32); err == nil {
		e.retryAfter = time.Duration(seconds) * time.Second
	}
	return e
}

// closedIdle is what net/http says, in an error that it does not export, of a connection closed before it was asked over.
const closedIdle = "server closed idle connection"

// explain says what to do about a daemon that is not there. Who was connected to, and neither kept silent nor hung up, has
// sent what net/http can't read.
func (c *Client) explain(err error, connected bool) error {
	var untrusted trustError
	var network net.Error
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w at %s: start one with 'chimera serve --model FILE', or name another's address", ErrNoDaemon, c.address)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), strings.Contains(err.Error(), closedIdle):
		return fmt.Errorf("%s closed the connection before it answered: its log may say why", c.address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("you may not connect to %s: ask to be added to the group that owns it", c.address)
	case errors.As(err, &untrusted):
		return untrusted
	case connected && !errors.Is(err, context.Canceled) && !(errors.As(err, &network) && network.Timeout()):
		return c.notChimera("it is no HTTP")
	}
	return err
}
