package api

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// This file owns which path is which route. A path is compared as it was sent: what a proxy before us forbids as /metrics must
// not be had as //metrics, /metrics#x or ftp://localhost/metrics.

// pathOf is the path of a request's target, which has two forms: what begins with a slash, and what proxies are sent, http://
// and an authority before that (RFC 9112, section 3.2). No client sends a fragment.
func pathOf(raw []byte) (string, error) {
	target := string(raw)
	bad := func(why string) (string, error) {
		return target, &HTTPError{
			Status: 400, Type: "invalid_request_error", Code: "bad_target",
			Message: fmt.Sprintf("the request target %s %s", clip(validUTF8(target), maxPath), why),
		}
	}
	path, _, _ := strings.Cut(target, "?")
	if strings.Contains(target, "#") {
		return bad("has a fragment: send what stands before the #")
	}
	if strings.HasPrefix(path, "/") {
		return path, nil
	}
	const scheme = "http://"
	if len(path) < len(scheme) || !strings.EqualFold(path[:len(scheme)], scheme) {
		return bad("is neither a path nor an http:// address")
	}
	authority, path, found := strings.Cut(path[len(scheme):], "/")
	if authority == "" || strings.Contains(authority, "@") || !found {
		return bad("must be http://HOST/PATH, without a user")
	}
	return "/" + path, nil
}

// modelPrefix begins the path of a model, whose name may need escaping.
const modelPrefix = "/v1/models/"

func (s *Server) route(c *call) (route, bool) {
	if escaped, isModel := strings.CutPrefix(c.path, modelPrefix); isModel {
		if r, ok := s.changeRoute(escaped); ok {
			return r, true
		}
		name, err := url.PathUnescape(escaped)
		return route{method: "GET", handler: func(c *call) error { return s.model(c, name) }}, err == nil && name != ""
	}
	if id, isReceipt := strings.CutPrefix(c.path, receiptsPrefix); isReceipt && s.History != nil {
		return s.receiptRoute(id), id != ""
	}
	r, ok := s.routes[c.path]
	return r, ok
}

func (s *Server) notFound(path string) error {
	message := "there is no " + clip(validUTF8(path), maxPath)
	if meant := s.meant(path); meant != "" {
		message += fmt.Sprintf(": use %s", meant)
	}
	return &HTTPError{Status: 404, Type: "invalid_request_error", Code: "not_found", Message: message}
}

// What clients get wrong is the base address: with or without /v1, twice, with a slash too many, in other letters.
var (
	slashes = regexp.MustCompile(`/+`)
	version = regexp.MustCompile(`^(/v1)+(/|$)`)
)

// meant is the route that a path may have been meant to be.
func (s *Server) meant(path string) string {
	bare := strings.ToLower(strings.TrimRight(slashes.ReplaceAllString("/"+path, "/"), "/"))
	bare = version.ReplaceAllString(bare, "/")
	for _, candidate := range []string{bare, "/v1" + bare} {
		if _, ok := s.routes[candidate]; ok {
			return candidate
		}
	}
	if bare == "/health" { // other servers have one question, we have two
		return "/health/ready"
	}
	return ""
}
