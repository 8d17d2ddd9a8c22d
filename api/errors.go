// Package api is HTTP and JSON: the OpenAI-compatible endpoints and those of the server itself. It
// holds no policy; what it needs of the rest it declares as narrow interfaces (server.go), and the
// composition root fills them.
//
// This file owns errors: what the client reads is kept apart from the cause that is logged.
package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"chimera/engine"
	"chimera/scheduler"
)

// HTTPError is an error with its answer, in OpenAI's form.
type HTTPError struct {
	Status  int
	Message string
	Type    string // "invalid_request_error", "server_error" ...
	Param   string // the field that is wrong, if one is
	Code    string
	Allow   string // the methods that the path takes, of a 405
	// RetryAfter is when a 429 or 503 may be tried again; 0: nobody knows, a second; below 0: never, to try again does not help.
	RetryAfter time.Duration
	Cause      error // logged, never sent
}

func (e *HTTPError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%d %s: %v", e.Status, e.Message, e.Cause)
	}
	return fmt.Sprintf("%d %s", e.Status, e.Message)
}

// Unwrap returns the cause.
func (e *HTTPError) Unwrap() error { return e.Cause }

// badField is a 400 that names the field.
func badField(field, format string, args ...any) *HTTPError {
	return &HTTPError{
		Status: fasthttp.StatusBadRequest, Type: "invalid_request_error", Param: field,
		Message: field + ": " + fmt.Sprintf(format, args...), Code: "invalid_value",
	}
}

// StatusClientGone is what nginx logs for a client that hung up; nobody receives it.
const StatusClientGone = 499

// errClientGone is in the chain of errors of a client that does not take its answer.
var errClientGone = errors.New("the client went")

// codeTooLong is OpenAI's for a prompt, or an answer asked for, that the context can't hold.
const codeTooLong = "context_length_exceeded"

// codeInternal is that of an error which has no answer of its own.
const codeInternal = "internal_error"

// toHTTP gives every error its answer.
func toHTTP(err error) *HTTPError {
	var h *HTTPError
	var tooLong *engine.TooLongError
	var notFinite *engine.NotFiniteError
	var overload *scheduler.OverloadError
	switch {
	case errors.As(err, &h):
		return h
	case errors.As(err, &tooLong):
		return &HTTPError{Status: 400, Type: "invalid_request_error", Param: "prompt", Code: codeTooLong, Message: tooLong.Error()}
	case errors.As(err, &notFinite):
		return &HTTPError{Status: 500, Type: "server_error", Code: "not_finite", Message: notFinite.Error(), Cause: err}
	case errors.Is(err, context.Canceled), errors.Is(err, errClientGone):
		return &HTTPError{Status: StatusClientGone, Type: "client_gone", Message: "the client hung up"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &HTTPError{Status: 408, Type: "invalid_request_error", Code: "bad_request", Message: "the request took too long to arrive"}
	case errors.As(err, &overload):
		return overloaded(overload)
	case errors.Is(err, scheduler.ErrDeadline):
		return &HTTPError{
			Status: 503, Type: "server_error", Code: "deadline_exceeded",
			Message: "the deadline passed while the request waited: try again, or allow more time (" + deadlineHeader + ")",
		}
	case errors.Is(err, scheduler.ErrQueueFull):
		return &HTTPError{Status: 429, Type: "rate_limit_error", Code: "queue_full", Message: "too many requests are waiting: try again in a moment"}
	case errors.Is(err, scheduler.ErrDraining):
		return &HTTPError{Status: 503, Type: "server_error", Code: "shutting_down", Message: "the server is shutting down"}
	}
	h = &HTTPError{Status: 500, Type: "server_error", Code: codeInternal, Message: "the server failed to compute the answer", Cause: err}
	if errors.Is(err, engine.ErrPoisoned) { // the model has failed, for all
		h.Message += ": " + err.Error()
	}
	return h
}

// overloaded is a refusal with a prediction.
func overloaded(o *scheduler.OverloadError) *HTTPError {
	h := &HTTPError{Status: 429, Type: "rate_limit_error", Code: "queue_full", RetryAfter: o.RetryAfter}
	h.Message = fmt.Sprintf("too many requests are waiting: try again in %d s", h.retrySeconds())
	if errors.Is(o, scheduler.ErrDeadline) { // which may be too early for any server
		h.Code = "overloaded"
		h.Message = fmt.Sprintf("the first token would come after the deadline: try again in %d s, or allow more time (%s)", h.retrySeconds(), deadlineHeader)
	}
	if o.Least > 0 { // to try again would not help
		h.Code, h.RetryAfter = "deadline_too_short", -1
		h.Message = fmt.Sprintf("the first token takes %d ms at least, and the deadline leaves less: allow more time (%s)", o.LeastMillis(), deadlineHeader)
	}
	return h
}

// retrySeconds is RetryAfter as the header line has it: a second at least, and no more than anybody waits.
func (e *HTTPError) retrySeconds() int {
	return max(1, int(math.Ceil(min(e.RetryAfter, MaxDeadline).Seconds())))
}

type errorBody struct {
	Error errorFields `json:"error"`
}

type errorFields struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// maxMessage bounds, in bytes, what an answer repeats of a request; maxParam the name of a field.
const maxMessage, maxParam = 1000, 100

// clip shortens what a client wrote, without cutting a character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// body is the error as JSON.
func (e *HTTPError) body() []byte {
	fields := errorFields{clip(e.Message, maxMessage), e.Type, orNull(clip(e.Param, maxParam)), orNull(e.Code)}
	b, _ := marshal(errorBody{fields}) // strings and nulls can always be written
	return b
}

// writeError answers with an error in OpenAI's form.
func writeError(ctx *fasthttp.RequestCtx, h *HTTPError) {
	ctx.Response.Reset()
	ctx.SetStatusCode(h.Status)
	ctx.SetContentType("application/json")
	if h.Allow != "" {
		ctx.Response.Header.Set("Allow", h.Allow)
	}
	if h.RetryAfter >= 0 && (h.Status == 429 || h.Status == 503) {
		ctx.Response.Header.Set("Retry-After", strconv.Itoa(h.retrySeconds()))
	}
	ctx.SetBody(h.body())
}
