package socket

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

// This file owns tests of request heads and bodies that could be smuggled, and of odd ones that may pass.

const rest = "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

// hostileHeads are requests that two parsers could read differently: each is refused with 4xx and the
// end of the connection, so that nothing behind it is read as a request.
var hostileHeads = []struct{ name, raw string }{
	{"both framings", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0" + rest},
	{"both framings, the other order", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0" + rest},
	{"two lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 40\r\n" + rest},
	{"the same length twice", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx" + rest},
	{"a list of lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\nx" + rest},
	{"a length with a sign", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx" + rest},
	{"a negative length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nx" + rest},
	{"a hexadecimal length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\nx" + rest},
	{"a length with a space inside", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1 1\r\n\r\nx" + rest},
	{"a length beyond 64 bits", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\nx" + rest},
	{"an empty length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\nx" + rest},
	{"an unknown encoding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n0" + rest},
	{"two encodings", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0" + rest},
	{"chunked twice", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0" + rest},
	{"chunked and identity", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0" + rest},
	{"a tab before chunked's end", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\x0b\r\n\r\n0" + rest},
	{"an encoding with a space before the colon", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0" + rest},
	{"a length with a space before the colon", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\n\r\nx" + rest},
	{"a folded header", "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c" + rest},
	{"a folded encoding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0" + rest},
	{"a header that begins with a tab", "GET / HTTP/1.1\r\nHost: x\r\n\tX-A: b" + rest},
	{"a space before the first header", "GET / HTTP/1.1\r\n Host: x" + rest},
	{"a bare CR in a value", "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\rTransfer-Encoding: chunked" + rest},
	{"a bare LF ends a header", "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\nX-B: c" + rest},
	{"bare LFs only", "GET / HTTP/1.1\nHost: x\n\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"},
	{"a bare LF ends the request line", "GET / HTTP/1.1\nHost: x" + rest},
	{"a bare LF ends the head", "GET / HTTP/1.1\r\nHost: x\r\n\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"},
	{"NUL in a value", "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\x00c" + rest},
	{"NUL in a name", "GET / HTTP/1.1\r\nHost: x\r\nX\x00A: b" + rest},
	{"DEL in a value", "GET / HTTP/1.1\r\nHost: x\r\nX-A: \x7f" + rest},
	{"a header without a colon", "GET / HTTP/1.1\r\nHost: x\r\nnonsense" + rest},
	{"a header without a name", "GET / HTTP/1.1\r\nHost: x\r\n: value" + rest},
	{"a name with a slash", "GET / HTTP/1.1\r\nHost: x\r\nX/A: b" + rest},
	{"NUL in the path", "GET /a\x00b HTTP/1.1\r\nHost: x" + rest},
	{"a control character in the path", "GET /a\x01b HTTP/1.1\r\nHost: x" + rest},
	{"a space in the path", "GET /a b HTTP/1.1\r\nHost: x" + rest},
	{"a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: x" + rest},
	{"no path", "GET HTTP/1.1\r\nHost: x" + rest},
	{"no version", "GET /\r\nHost: x" + rest},
	{"version 2", "GET / HTTP/2.0\r\nHost: x" + rest},
	{"an unknown protocol", "GET / FTP/1.1\r\nHost: x" + rest},
	{"a method with forbidden characters", "G(T / HTTP/1.1\r\nHost: x" + rest},
	{"two hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y" + rest},
	{"no host", "GET / HTTP/1.1\r\nX-A: b" + rest},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rest},
	{"a huge header", "GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 2*headBytes) + rest},
	{"a huge path", "GET /" + strings.Repeat("a", 2*headBytes) + " HTTP/1.1\r\nHost: x" + rest},
	{"many headers", "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: b\r\n", headBytes) + rest},
}

const chunkedHead = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

// hostileChunks are bodies whose end two parsers could see at different places.
var hostileChunks = []struct{ name, raw string }{
	{"no size", "\r\nabc\r\n0" + rest},
	{"a size that is no number", "zz\r\nabc\r\n0" + rest},
	{"a size with 0x", "0x3\r\nabc\r\n0" + rest},
	{"a negative size", "-3\r\nabc\r\n0" + rest},
	{"a size with a plus", "+3\r\nabc\r\n0" + rest},
	{"a space before the size", " 3\r\nabc\r\n0" + rest},
	{"a size beyond 64 bits", "ffffffffffffffff1\r\nabc\r\n0" + rest},
	{"a size of 2^63", "8000000000000000\r\nabc\r\n0" + rest},
	{"a bare LF behind the size", "3\nabc\r\n0" + rest},
	{"a bare CR behind the size", "3\rabc\r\n0" + rest},
	{"a bare LF behind the chunk", "3\r\nabc\n0" + rest},
	{"a chunk longer than its size", "3\r\nabcd\r\n0" + rest},
	{"a LF in an extension", "3;a\nb\r\nabc\r\n0" + rest},
	{"a bare LF ends the last chunk", "3\r\nabc\r\n0\n\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"},
	{"a trailer without a colon", "3\r\nabc\r\n0\r\nnonsense" + rest},
	{"a trailer that frames", "3\r\nabc\r\n0\r\nContent-Length: 5" + rest},
}

func wantRefused(t *testing.T, f *fixture, network, raw string) {
	t.Helper()
	c := f.dial(t, network)
	go io.WriteString(c, raw) // the server may close before all is sent
	all, _ := io.ReadAll(c)   // a reset behind the answer is fine
	if !strings.HasPrefix(string(all), "HTTP/1.1 4") {
		t.Errorf("%s: answered %.200q", network, all)
	}
	if strings.Contains(string(all), "HTTP/1.1 200") {
		t.Errorf("%s: more than one answer: %.400q", network, all)
	}
	if !strings.Contains(string(all), "Connection: close") {
		t.Errorf("%s: the connection's end is not announced: %.200q", network, all)
	}
}

func TestHostileHeadsAreRefused(t *testing.T) {
	f := start(t, defaultLimits)
	for _, h := range hostileHeads {
		t.Run(h.name, func(t *testing.T) {
			for _, network := range networks {
				wantRefused(t, f, network, h.raw)
			}
		})
	}
}

func TestHostileChunksAreRefused(t *testing.T) {
	f := start(t, defaultLimits)
	for _, h := range hostileChunks {
		t.Run(h.name, func(t *testing.T) {
			for _, network := range networks {
				wantRefused(t, f, network, chunkedHead+h.raw)
			}
		})
	}
}

// What RFC 9112 allows is served.
func TestOddButValidHeads(t *testing.T) {
	f := start(t, defaultLimits)
	for _, h := range []struct{ name, raw, want string }{
		{"no space behind a colon", "POST /p HTTP/1.1\r\nHost:x\r\nContent-Length:2\r\n\r\nab", "POST /p ab"},
		{"spaces and tabs around a value", "POST /p HTTP/1.1\r\nHost: \t x\t\r\nContent-Length: \t2 \r\n\r\nab", "POST /p ab"},
		{"names in any case", "POST /p HTTP/1.1\r\nhOST: x\r\ncontent-LENGTH: 2\r\n\r\nab", "POST /p ab"},
		{"chunked in any case", "POST /p HTTP/1.1\r\nHost: x\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "POST /p ab"},
		{"chunk extensions, upper-case and padded sizes", "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n00A;n=v\r\n0123456789\r\n0\r\n\r\n", "POST /p 0123456789"},
		{"a trailer", "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n", "POST /p ab"},
		{"an empty value", "GET /p HTTP/1.1\r\nHost: x\r\nX-A:\r\n\r\n", "GET /p "},
		{"bytes above 127 in a value", "GET /p HTTP/1.1\r\nHost: x\r\nX-A: \xc3\xa9\r\n\r\n", "GET /p "},
		{"an absolute address", "GET http://x/p HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://x/p "},
		{"an empty line before the request", "\r\nGET /p HTTP/1.1\r\nHost: x\r\n\r\n", "GET /p "},
		// fasthttp lets this through: it does not move the end of the body.
		{"a folded trailer", "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-A: b\r\n c\r\n\r\n", "POST /p ab"},
	} {
		t.Run(h.name, func(t *testing.T) {
			for _, network := range networks {
				c := f.dial(t, network)
				r := bufio.NewReader(c)
				for range 2 {
					send(t, c, h.raw)
					wantAnswers(t, r, []string{h.want})
				}
			}
		})
	}
}
