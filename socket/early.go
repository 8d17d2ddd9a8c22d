package socket

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// This file owns bodies that are too large by what their head says. fasthttp reads the beginning of a body, and asks for one that waits for
// 100 Continue, before its handler is called; a client that is to be told 413 should hear it before it sends anything.

// leaveUnread is told of each head. A body that promises more than limit is hidden from fasthttp, which then calls the handler at once.
func leaveUnread(limit int) func(*fasthttp.RequestHeader) fasthttp.RequestConfig {
	return func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		if h.ContentLength() > limit {
			h.SetContentLength(0)
			h.Del(fasthttp.HeaderExpect)
		}
		return fasthttp.RequestConfig{}
	}
}

// showUnread gives a head whose body leaveUnread has hidden its length again, so that the handler sees what was promised. The
// connection ends with the answer: the body is in the way of the next request.
func showUnread(ctx *fasthttp.RequestCtx) {
	h := &ctx.Request.Header
	if h.ContentLength() != 0 {
		return
	}
	if n := promised(h.RawHeaders()); n > 0 {
		h.SetContentLength(n)
		ctx.SetConnectionClose()
	}
}

// promised is the Content-Length of header lines that checkHead has passed.
func promised(raw []byte) int {
	for line := range bytes.Lines(raw) {
		name, value, _ := strings.Cut(string(line), ":")
		if strings.EqualFold(name, fasthttp.HeaderContentLength) {
			n, _ := strconv.Atoi(strings.TrimSpace(value)) // fasthttp has read it
			return n
		}
	}
	return 0
}
