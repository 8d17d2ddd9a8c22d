package api

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/scheduler"
)

// This file owns a request's hold on its model: the model is loaded when the request needs it, and stays so until the request has
// ended, streams included.

// loadingPatience is how long a request without a deadline waits for its model: a small one is there by then, as it is for a
// client whose connection has started the daemon; whoever asks for a large one is told how far it is.
const loadingPatience = 30 * time.Second

// Wait says what it takes to let a request wait for its model.
type Wait struct {
	Bytes    int           // that the request holds meanwhile
	Patience time.Duration // after which it is told to come again
	Class    scheduler.Class
}

// Held is a model that stays loaded until Release.
type Held struct {
	Model *Model
	// Context is the request's. It is also done when the model goes though it is held; its cause tells.
	Context context.Context
	// Release may be called again, which does nothing.
	Release func()
}

// ErrNoModel is Hold's of a name that is not configured.
var ErrNoModel = errors.New("there is no model of that name")

// hold has the model that a body names loaded, and keeps it until the request has ended.
func (c *call) hold(body []byte) error {
	name, known := modelNamed(body)
	if !known {
		return nil // the body is no JSON, as is told when it is decoded
	}
	return c.holdModel(name, len(body))
}

// holdModel is hold for a model that is named elsewhere than in a body, of which so many bytes are held meanwhile.
func (c *call) holdModel(name string, bytes int) error {
	c.asked = c.server.served(name)
	h, err := c.server.Registry.Hold(c.context(), name, Wait{bytes, cmp.Or(c.urgency.patience, loadingPatience), c.urgency.class})
	if errors.Is(err, ErrNoModel) {
		return c.server.noModel(name)
	}
	if err != nil {
		return err
	}
	c.model, c.ctx = h, h.Context
	return nil
}

// served is the name of the model that a request names, the first where it names none; "" where that is not served.
func (s *Server) served(name string) string {
	names := s.Registry.Names()
	switch {
	case name == "" && len(names) > 0:
		return names[0]
	case slices.Contains(names, name):
		return name
	}
	return ""
}

// letGo gives back the model.
func (c *call) letGo() {
	if c.model.Release != nil {
		c.model.Release()
	}
}

// leave ends what a request holds when its handler has ended. A stream goes on, and holds its model.
func (c *call) leave() {
	c.release()
	if !c.streams {
		c.letGo()
	}
}

// modelNamed is what the member model of a body says; "" where it says nothing that is a name. known is false of what is no object.
func modelNamed(body []byte) (name string, known bool) {
	d := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if begin, err := d.ReadToken(); err != nil || begin.Kind() != '{' {
		return "", false
	}
	for {
		member, err := d.ReadToken()
		if err != nil || member.Kind() == '}' {
			return "", err == nil
		}
		if member.String() != "model" {
			if d.SkipValue() != nil {
				return "", false
			}
			continue
		}
		value, err := d.ReadToken()
		if err == nil && value.Kind() == '"' {
			name = value.String()
		}
		return name, err == nil
	}
}

// Loading is what a request gets that has waited its time for a model, of which so much is read; rest is what the load may still
// take, 0 where nobody knows.
func Loading(model string, percent int, rest time.Duration) *HTTPError {
	h := &HTTPError{Status: 503, Type: "server_error", Code: "loading", RetryAfter: rest}
	h.Message = fmt.Sprintf("the model %s is loading, %d %% of it is read: try again in %d s", model, percent, h.retrySeconds())
	return h
}

// isLoading tells whether an error says so.
func isLoading(err error) bool {
	h := (*HTTPError)(nil)
	return errors.As(err, &h) && h.Code == "loading"
}

// TooManyWait refuses a request that would wait for a model behind too many others.
func TooManyWait(model string, rest time.Duration) *HTTPError {
	h := &HTTPError{Status: 429, Type: "rate_limit_error", Code: "queue_full", RetryAfter: rest}
	h.Message = fmt.Sprintf("the model %s is loading, and too many requests wait for it: try again in %d s", model, h.retrySeconds())
	return h
}

// Failed is the answer while a model that has failed is left alone: it is tried again, at the first request after so long.
func Failed(model string, cause error, again time.Duration) *HTTPError {
	seconds := max(1, int(math.Ceil(again.Seconds())))
	return &HTTPError{
		Status: 500, Type: "server_error", Code: "model_failed", Cause: cause,
		Message: fmt.Sprintf("the model %s has failed: %v; it is loaded anew for a request in %d s or later", model, cause, seconds),
	}
}

// NoRoom refuses a model that does not fit beside those that stay.
func NoRoom(model string, cause error, again time.Duration) *HTTPError {
	return &HTTPError{
		Status: 503, Type: "server_error", Code: "no_room", RetryAfter: again, Cause: cause,
		Message: fmt.Sprintf("there is no room for the model %s: %v", model, cause),
	}
}

// Unloaded ends a request whose model is taken away.
func Unloaded(model string) *HTTPError {
	return &HTTPError{Status: 503, Type: "server_error", Code: "model_unloaded", Message: fmt.Sprintf("the model %s is being unloaded: try again in a moment", model)}
}

// serving tells why the server does not serve.
func (s *Server) serving() error {
	if s.State == nil {
		return nil
	}
	return s.State()
}

// stateOf is a word for that.
func stateOf(err error) string {
	switch {
	case err == nil:
		return "serving"
	case isLoading(err):
		return "loading"
	case errors.Is(err, scheduler.ErrDraining):
		return "draining"
	}
	return "failed"
}
