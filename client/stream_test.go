package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// This file owns tests of asking and of reading answers, against servers that do all that servers do.

const (
	hel  = `{"choices":[{"delta":{"role":"assistant","content":"Hel"}}]}`
	lo   = `{"choices":[{"delta":{"content":"lo"}}]}`
	stop = `{"choices":[{"delta":{},"finish_reason":"stop"}]}`
	used = `{"choices":[],"usage":{"completion_tokens":7}}`
)

func event(data string) string { return "data: " + data + "\n\n" }

// streams are what servers send, and what a client makes of it.
var streams = []struct {
	name, body string
	want       string // the text
	tokens     int
	finish     string
	err        string // part of it; empty: none
}{
	{"plain", event(hel) + event(lo) + event(stop) + event(used) + event("[DONE]"), "Hello", 7, "stop", ""},
	{"CR LF", strings.ReplaceAll(event(hel)+event(lo)+event(stop)+event("[DONE]"), "\n", "\r\n"), "Hello", 2, "stop", ""},
	{"no space", "data:" + hel + "\n\ndata:" + stop + "\n\ndata:[DONE]\n\n", "Hel", 1, "stop", ""},
	{"comments and other fields", ": ping\n\nevent: delta\nid: 4\nretry: 10\n" + event(hel) + ":\n\n" + event(stop) + event("[DONE]"), "Hel", 1, "stop", ""},
	{"data of several lines", "data: {\"choices\":\ndata: [{\"text\":\"Hi\",\ndata: \"finish_reason\":\"length\"}]}\n\n" + event("[DONE]"), "Hi", 1, "length", ""},
	{"what follows [DONE] is not read", event(stop) + event("[DONE]") + event("{broken"), "", 0, "stop", ""},
	{"no line feed behind [DONE]", event(hel) + event(stop) + "data: [DONE]", "Hel", 1, "stop", ""},
	{"no [DONE] but a finish_reason", event(hel) + event(stop), "Hel", 1, "stop", ""},
	{"nulls", event(`{"choices":[{"delta":{"content":null},"finish_reason":null}],"usage":null}`) + event(stop) + event("[DONE]"), "", 0, "stop", ""},
	{"an error event", event(hel) + event(`{"error":{"message":"out of pages","code":500}}`) + event("[DONE]"), "Hel", 1, "", "out of pages"},
	{"no JSON", event(hel) + event("{broken"), "Hel", 1, "", "no Chimera's: of an event, it is no JSON"},
	{"a list", event(hel) + event("[]"), "Hel", 1, "", "of an event, it is a list, not an object"},
	{"another shape", event(`{"choices":[{"delta":"x"}]}`), "", 0, "", "of an event, /choices/0/delta can't be a string"},
	{"null and [DONE]", event("null") + event("[DONE]"), "", 0, "", "broke off: the server says [DONE]"},
	{"null choices and [DONE]", event(`{"choices":null}`) + event(`{"choices":[null]}`) + event("[DONE]"), "", 0, "", "broke off: the server says [DONE]"},
	{"[DONE] alone", event("[DONE]"), "", 0, "", "broke off: the server says [DONE]"},
	{"text, [DONE] and no finish_reason", event(hel) + event(used) + event("[DONE]"), "Hel", 7, "", "broke off: the server says [DONE]"},
	{"an empty finish_reason", event(`{"choices":[{"text":"Hi","finish_reason":""}]}`) + event("[DONE]"), "Hi", 1, "", "broke off: the server says [DONE]"},
	{"dies between events", event(hel), "Hel", 1, "", "broke off"},
	{"dies within an event", event(hel) + "data: {\"choi", "Hel", 1, "", "broke off"},
	{"says nothing", "", "", 0, "", "broke off"},
	{"an event too long", "data: " + strings.Repeat("x", maxEvent+1), "", 0, "", "broke off"},
}

func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return New(s.URL)
}

func TestStreams(t *testing.T) {
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s.body) })
			var text strings.Builder
			stats, err := c.Chat(context.Background(), []Message{{"user", "x"}}, Options{}, func(p string) { text.WriteString(p) })
			if text.String() != s.want || stats.Tokens != s.tokens || stats.Finish != s.finish {
				t.Errorf("%q, %d tokens, %q", text.String(), stats.Tokens, stats.Finish)
			}
			if (err == nil) != (s.err == "") || (err != nil && !strings.Contains(err.Error(), s.err)) {
				t.Errorf("error %v, want %q", err, s.err)
			}
			if (stats.TTFT > 0) != (s.want != "") || stats.TTFT > stats.Total {
				t.Errorf("%+v", stats)
			}
		})
	}
}

// However the network cuts the bytes, the events are the same.
func TestStreamsByteByByte(t *testing.T) {
	for _, s := range streams[:len(streams)-1] {
		var whole, bytewise []string
		keep := func(to *[]string) func([]byte) error {
			return func(b []byte) error { *to = append(*to, string(b)); return nil }
		}
		a := events(strings.NewReader(s.body), keep(&whole))
		b := events(iotest.OneByteReader(strings.NewReader(s.body)), keep(&bytewise))
		if !reflect.DeepEqual(whole, bytewise) || (a == nil) != (b == nil) {
			t.Errorf("%s: %q %v, byte by byte %q %v", s.name, whole, a, bytewise, b)
		}
	}
}

// A server that dies in the middle of a chunk.
func TestServerDies(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, event(hel))
		w.(http.Flusher).Flush()
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
	})
	got := ""
	_, err := c.Chat(context.Background(), nil, Options{}, func(p string) { got += p })
	if got != "Hel" || err == nil || !strings.Contains(err.Error(), "broke off") {
		t.Errorf("%q %v", got, err)
	}
}

// What the user chose is sent, what was left open is not.
func TestRequests(t *testing.T) {
	var path, body string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		path, body = r.URL.Path, string(b)
		io.WriteString(w, event(stop)+event("[DONE]"))
	})
	n, temperature, seed := 5, 0.0, jsontext.Value("18446744073709551615")
	for _, r := range []struct {
		send       func() (Stats, error)
		path, body string
	}{
		{
			func() (Stats, error) {
				return c.Chat(context.Background(), []Message{{"user", "é\n"}}, Options{}, func(string) {})
			},
			"/v1/chat/completions", `{"messages":[{"role":"user","content":"é\n"}],"stream":true,"stream_options":{"include_usage":true}}`,
		},
		{
			func() (Stats, error) {
				return c.Complete(context.Background(), "p", Options{"m", &n, &temperature, seed}, func(string) {})
			},
			"/v1/completions", `{"model":"m","prompt":"p","max_tokens":5,"temperature":0,"seed":18446744073709551615,"ignore_eos":true,"stream":true,"stream_options":{"include_usage":true}}`,
		},
	} {
		if _, err := r.send(); err != nil || path != r.path || body != r.body {
			t.Errorf("%v\n%s %s\nwant\n%s %s", err, path, body, r.path, r.body)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no.sock")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	port := strings.TrimPrefix(closed, "127.0.0.1:")
	for _, address := range []string{missing, closed, "http://" + closed, port} {
		_, err := New(address).Status(context.Background())
		if err == nil || !strings.Contains(err.Error(), "no daemon answers at") || !strings.Contains(err.Error(), "chimera serve --model FILE") || !strings.Contains(err.Error(), strings.TrimPrefix(address, "http://")) {
			t.Errorf("%s: %v", address, err)
		}
	}
	gone := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := gone.Chat(context.Background(), nil, Options{}, nil); err == nil || !strings.Contains(err.Error(), "closed the connection before it answered") {
		t.Errorf("a server that hangs up: %v", err)
	}
	for body, want := range map[string]string{
		`{"error":{"message":"the model 'x' does not exist"}}`: "the server answered 404: the model 'x' does not exist",
		"Not Found\n":       "the server answered 404: Not Found",
		`{"detail":"gone"}`: `the server answered 404: {"detail":"gone"}`,
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			io.WriteString(w, body)
		})
		_, err := c.Chat(context.Background(), nil, Options{}, nil)
		var status *StatusError
		if !errors.As(err, &status) || status.Status != 404 || err.Error() != want {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// Cancelling ends the request at once, and the server sees it.
func TestCancel(t *testing.T) {
	gone := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, event(hel))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(context.Background())
	_, err := c.Chat(ctx, nil, Options{}, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the server was not told")
	}
}

// Without a terminal each line is a turn, and the conversation grows.
func TestPipe(t *testing.T) {
	var bodies []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(b))
		fmt.Fprint(w, event(hel)+event(lo)+event(stop)+event("[DONE]"))
	})
	var out strings.Builder
	if err := Pipe(context.Background(), c, Options{}, "be terse", strings.NewReader("one\n\n  \ntwo"), &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != "Hello\nHello\n" || len(bodies) != 2 {
		t.Fatalf("%q, %d requests", out.String(), len(bodies))
	}
	const turns = `"messages":[{"role":"system","content":"be terse"},{"role":"user","content":"one"},{"role":"assistant","content":"Hello"},{"role":"user","content":"two"}]`
	if !strings.Contains(bodies[1], turns) {
		t.Errorf("%s", bodies[1])
	}
}

// Who waits for a line is woken by the end.
func TestPipeEndsWhileItWaits(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, event(lo)+event(stop)+event("[DONE]")) })
	in, typed := io.Pipe()
	defer typed.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	var out strings.Builder
	go func() { ended <- Pipe(ctx, c, Options{}, "", in, &out) }()
	io.WriteString(typed, "one\n")
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it still waits")
	}
}

// What came of an answer that breaks off is written, and its line is ended, so that the error stands apart.
func TestPrint(t *testing.T) {
	body := ""
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
	for text, want := range map[string]string{
		event(hel) + event(lo) + event(stop): "Hello\n", event(hel): "Hel\n", "": "", event(stop): "\n", event(`{"error":{"message":"x"}}`): "",
	} {
		body = text
		var out strings.Builder
		answer, stats, err := c.Print(context.Background(), nil, Options{}, &out)
		if out.String() != want || answer != strings.TrimSuffix(want, "\n") || (err == nil) != (stats.Finish == "stop") {
			t.Errorf("%q: %q %q %v", text, out.String(), answer, err)
		}
	}
	body = event(hel) + event(lo) + event(stop)
	full := errors.New("full")
	if _, _, err := c.Print(context.Background(), nil, Options{}, failing{full}); err != full {
		t.Errorf("an output that fails: %v", err)
	}
}
