package socket

import (
	"bytes"
	"errors"
	"strings"

	"github.com/valyala/fasthttp"
)

// This file owns refusing request heads that two parsers could read differently (RFC 9112, sections 5
// and 6): what a proxy before us and fasthttp behind it disagree on is how requests are smuggled.

// checkVersion refuses versions that fasthttp would read as HTTP/1.0.
func checkVersion(ctx *fasthttp.RequestCtx) error {
	switch string(ctx.Request.Header.Protocol()) {
	case "HTTP/1.0", "HTTP/1.1":
		return nil
	}
	return errors.New("a version other than HTTP/1.0 and HTTP/1.1")
}

// checkHead looks at the raw header lines of a request, without the request line.
func checkHead(raw []byte) error {
	lengths, encodings := []string{}, 0
	for len(raw) > 0 {
		line, rest, found := bytes.Cut(raw, []byte("\n"))
		raw = rest
		if !found || !bytes.HasSuffix(line, []byte("\r")) {
			return errors.New("a header line does not end in CR LF")
		}
		line = line[:len(line)-1]
		if len(line) == 0 {
			break
		}
		name, value, err := field(line)
		if err != nil {
			return err
		}
		switch strings.ToLower(name) {
		case "content-length":
			lengths = append(lengths, value)
		case "transfer-encoding":
			encodings++
			if !strings.EqualFold(value, "chunked") {
				return errors.New("a transfer encoding other than chunked")
			}
		}
	}
	return checkLength(lengths, encodings)
}

// field splits a header line, refusing folds, stray spaces and control characters.
func field(line []byte) (name, value string, err error) {
	if line[0] == ' ' || line[0] == '\t' {
		return "", "", errors.New("a folded header line")
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return "", "", errors.New("a header line without a name")
	}
	for _, b := range line[:colon] {
		if !isTokenByte(b) {
			return "", "", errors.New("a header name with forbidden characters")
		}
	}
	for _, b := range line[colon+1:] {
		if b < ' ' && b != '\t' || b == 0x7f {
			return "", "", errors.New("a header value with control characters")
		}
	}
	return string(line[:colon]), strings.Trim(string(line[colon+1:]), " \t"), nil
}

// isTokenByte is RFC 9110's tchar.
func isTokenByte(b byte) bool {
	switch {
	case b >= '0' && b <= '9', b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
}

func checkLength(lengths []string, encodings int) error {
	switch {
	case len(lengths) > 0 && encodings > 0:
		return errors.New("both Content-Length and Transfer-Encoding")
	case len(lengths) > 1:
		return errors.New("more than one Content-Length")
	case encodings > 1:
		return errors.New("more than one Transfer-Encoding")
	}
	for _, l := range lengths {
		if l == "" || strings.Trim(l, "0123456789") != "" {
			return errors.New("a Content-Length that is no number")
		}
	}
	return nil
}
