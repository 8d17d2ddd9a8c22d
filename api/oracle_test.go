package api

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// What one tenant asked shows in no other's cached_tokens, and does in its own.
func TestCachedTokensTellNothingOfOthers(t *testing.T) {
	for _, isolate := range []bool{true, false} {
		h := newBench(t, letters)
		h.IsolateTenants = isolate
		cached := func(uid uint32) int {
			h.Peer = func(*fasthttp.RequestCtx) Peer { return Peer{Unix: true, UID: uid} }
			var a struct {
				Usage usage `json:"usage"`
			}
			h.post(textPath, `{"prompt":"`+strings.Repeat("x", 64)+`","max_tokens":1}`).into(&a)
			return a.Usage.Details.CachedTokens
		}
		first, again, other := cached(1), cached(1), cached(2)
		if first != 0 || again != 64 || other != map[bool]int{true: 0, false: 64}[isolate] {
			t.Errorf("isolate %t: %d, again %d, another %d", isolate, first, again, other)
		}
	}
}
