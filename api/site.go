package api

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// This file owns which web sites may use the server by way of somebody's browser.
//
// A browser on this machine, or in its network, reaches what the page's own site never could. Two things tell what a page
// is: Origin, which browsers add and pages can't change, names its site; Host names what the browser thinks this server is
// called, and a name that somebody else's DNS points here gives a page away that pretends to be ours. A program sends no
// Origin, and whatever Host it was told.
//
// Connections of the Unix socket are no browser's, and not checked.

// Sites are the settings of it.
type Sites struct {
	Hosts   []string // what Host may be beside addresses, localhost and Own; ".example.org" is all names below it, "*" any
	Origins []string // pages of other sites that may use the server (CORS); "*" is any
	Own     []string // names of the machine, and of the address that is listened on
}

// CheckHost refuses what no allowed host can be.
func CheckHost(name string) error {
	bare := strings.TrimPrefix(name, ".")
	if name != "*" && (bare == "" || strings.Trim(strings.ToLower(bare), "abcdefghijklmnopqrstuvwxyz0123456789-._") != "") {
		return fmt.Errorf("%q: write a name without scheme, port and path, such as example.org; .example.org for all names below it; * for any", name)
	}
	return nil
}

// CheckOrigin refuses what no browser sends as Origin.
func CheckOrigin(origin string) error {
	scheme, authority, found := strings.Cut(origin, "://")
	if origin != "*" && origin != "null" && (!found || scheme == "" || strings.ContainsAny(authority, "/ ")) {
		return fmt.Errorf("%q: write it as browsers do, SCHEME://HOST or SCHEME://HOST:PORT without a path; * for any", origin)
	}
	return nil
}

// check refuses what comes by way of a foreign site.
func (s *Sites) check(c *call) error {
	if c.peer.Unix {
		return nil
	}
	host := string(c.Request.Header.Host())
	for _, h := range []string{host, string(c.URI().Host())} { // they differ where the request line has a whole address
		if (c.peer.Loopback || len(s.Hosts) > 0) && !s.isOurs(h) {
			return forbidden("host_not_allowed", "the server is not called %s: name it in allowed_hosts if it is", h)
		}
	}
	switch origins := c.Request.Header.PeekAll(fasthttp.HeaderOrigin); {
	case len(origins) == 0:
		return nil
	case len(origins) == 1 && (s.lists(string(origins[0])) || s.isOwn(string(origins[0]), host)):
		c.origin = string(origins[0])
		return nil
	default:
		return forbidden("origin_not_allowed", "pages of %s may not use this server: name the origin in cors_origins if they may", string(origins[0]))
	}
}

func forbidden(code, format, name string) error {
	return &HTTPError{Status: 403, Type: "permission_error", Code: code, Message: fmt.Sprintf(format, clip(validUTF8(name), maxParam))}
}

// lists tells whether the settings name the origin.
func (s *Sites) lists(origin string) bool {
	return slices.ContainsFunc(s.Origins, func(o string) bool { return o == "*" || strings.EqualFold(o, origin) })
}

// isOwn tells whether a page came from this server itself. Where any Host is let in, that alone proves nothing.
func (s *Sites) isOwn(origin, host string) bool {
	scheme, authority, _ := strings.Cut(origin, "://")
	return (scheme == "http" || scheme == "https") && strings.EqualFold(authority, host) && s.isOurs(host)
}

// isOurs tells whether a Host is what this server may be called. That of an HTTP/1.0 program may be empty. An address can't be
// pointed elsewhere, so it is always ours.
func (s *Sites) isOurs(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(withoutPort(host), "."))
	if host == "" || isAddress(name) || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	if slices.ContainsFunc(s.Own, func(own string) bool { return strings.EqualFold(own, name) }) {
		return true
	}
	return slices.ContainsFunc(s.Hosts, func(allowed string) bool {
		allowed = strings.ToLower(allowed)
		return allowed == "*" || allowed == name || strings.HasPrefix(allowed, ".") && strings.HasSuffix(name, allowed)
	})
}

func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	if inner, found := strings.CutPrefix(host, "["); found {
		return strings.TrimSuffix(inner, "]")
	}
	return host
}

func isAddress(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// isPreflight tells a browser's question from a request: may a page of that origin send what it is about to?
func (c *call) isPreflight() bool {
	return c.method == fasthttp.MethodOptions && c.origin != "" && len(c.Request.Header.Peek(fasthttp.HeaderAccessControlRequestMethod)) > 0
}

// preflightAge is how many seconds a browser may remember the answer to its question: a changed setting counts soon.
const preflightAge = "600"

// answerPreflight allows the route's methods, and whatever header lines the page wants to send: none of them opens anything.
func (c *call) answerPreflight(methods string) error {
	c.SetStatusCode(fasthttp.StatusNoContent)
	h := &c.Response.Header
	h.Set(fasthttp.HeaderAccessControlAllowMethods, methods)
	h.SetBytesV(fasthttp.HeaderAccessControlAllowHeaders, c.Request.Header.Peek(fasthttp.HeaderAccessControlRequestHeaders))
	h.Set(fasthttp.HeaderAccessControlMaxAge, preflightAge)
	if string(c.Request.Header.Peek("Access-Control-Request-Private-Network")) == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
	return nil
}

// headCORS lets the page read the answer, be it an error.
func (c *call) headCORS() {
	h := &c.Response.Header
	h.Add(fasthttp.HeaderVary, fasthttp.HeaderOrigin)
	if c.origin != "" {
		h.Set(fasthttp.HeaderAccessControlAllowOrigin, c.origin)
		h.Set(fasthttp.HeaderAccessControlExposeHeaders, requestIDHeader+", "+fasthttp.HeaderRetryAfter)
	}
}
