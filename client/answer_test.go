package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// This file owns tests of answers that no daemon gives, to each question that is answered whole.

// asked are those questions, with what a daemon answers at the least.
var asked = map[string]struct {
	least string
	ask   func(*Client) error
}{
	"status": {`{"state":"serving"}`, func(c *Client) error { _, err := c.Status(context.Background()); return err }},
	"cache":  {`{"caches":[]}`, func(c *Client) error { _, err := c.Cache(context.Background()); return err }},
	"gpu":    {`{"devices":[]}`, func(c *Client) error { _, err := c.GPU(context.Background()); return err }},
	"load":   {`{"state":"ready"}`, func(c *Client) error { return c.Load(context.Background(), "x") }},
	"unload": {`{"state":"configured"}`, func(c *Client) error { return c.Unload(context.Background(), "x") }},
}

func TestAnswersOfNoChimera(t *testing.T) {
	answer := ""
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) })
	for name, q := range asked {
		answer = q.least
		if err := q.ask(c); err != nil {
			t.Errorf("%s: %s: %v", name, answer, err)
		}
		member, _, _ := strings.Cut(q.least[2:], `"`)
		for text, want := range map[string]string{
			"": "it is no JSON", "<html>": "it is no JSON", q.least + "x": "it is no JSON", "null": "it is null, not an object", "[]": "it is a list, not an object",
			`"x"`: "it is a string, not an object", "1": "it is a number, not an object", "{}": "it has no " + member, `{"status":"ok"}`: "it has no " + member,
			`{"` + member + `":null}`: member + " can't be null", `{"` + member + `":7}`: member + " can't be a number",
		} {
			answer = text
			err := q.ask(c)
			if err == nil || !strings.HasPrefix(err.Error(), c.address+" answered something that is no Chimera's: "+want) || strings.Contains(err.Error(), "Go ") {
				t.Errorf("%s: %q: %v, want %q", name, text, err, want)
			}
		}
	}
	for text, want := range map[string]string{
		`{"state":"x","models":[{"id":"a"},{"id":5}]}`:                      "/models/1/id can't be a number",
		`{"state":"x","loading_percent":9e99}`:                              "/loading_percent can't be the number 9e99",
		`{"state":"x","loading_percent":` + strings.Repeat("9", 5000) + `}`: "/loading_percent can't be the number " + strings.Repeat("9", 32),
		`{"state":"x","requests":[]}`:                                       "/requests can't be a list",
	} {
		answer = text
		_, err := c.Status(context.Background())
		if err == nil || !strings.HasSuffix(err.Error(), "no Chimera's: "+want) {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
}

// An answer without an end is not kept for ever.
func TestAnswersAreBounded(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for block := []byte(strings.Repeat(" ", 1<<20)); r.Context().Err() == nil; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	if _, err := c.Cache(context.Background()); err == nil || !strings.Contains(err.Error(), "longer than 64 MiB") {
		t.Error(err)
	}
}

// Servers that speak no HTTP, whether they wait for a question or not, and one that hangs up.
func TestNoHTTP(t *testing.T) {
	for _, s := range []struct {
		says string
		asks bool // it reads first
		want string
	}{
		{"SSH-2.0-OpenSSH_9.6\r\n", true, "no Chimera's: it is no HTTP"},
		{"SSH-2.0-OpenSSH_9.6\r\n", false, "no Chimera's: it is no HTTP"},
		{"-ERR unknown command\r\n", true, "no Chimera's: it is no HTTP"},
		{"HTTP/1.1 200 OK\r\nno header\r\n\r\n", true, "no Chimera's: it is no HTTP"},
		{"", true, "closed the connection before it answered"},
		{"", false, "closed the connection before it answered"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", true, "broke off its answer"},
	} {
		address := listen(t, func(c net.Conn) {
			if s.asks {
				c.Read(make([]byte, 4096))
			}
			io.WriteString(c, s.says)
		})
		for name, q := range asked {
			if err := q.ask(New(address)); err == nil || !strings.Contains(err.Error(), s.want) || !strings.HasPrefix(err.Error(), "http://"+address) {
				t.Errorf("%s of %+v: %v", name, s, err)
			}
		}
	}
}

// listen has each connection served by a function, and closed.
func listen(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().String()
}

// What goes wrong before there is an answer is not the answer's fault.
func TestOtherErrorsStay(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then is it seen that the client has gone
		cancel()
		<-r.Context().Done()
	})
	if err := c.Load(ctx, "x"); !errors.Is(err, context.Canceled) || strings.Contains(fmt.Sprint(err), "Chimera's") {
		t.Error(err)
	}
	if _, err := New("http://nowhere.invalid:1").Status(context.Background()); err == nil || strings.Contains(err.Error(), "Chimera's") {
		t.Error(err)
	}
}
