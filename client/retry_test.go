package client

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
)

// A server may close a connection that was idle just as the next request is on its way: that one is asked over another.
func TestIdleConnectionThatCloses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var answered atomic.Int64
	go func() {
		for connection := 0; ; connection++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(c)
			for request := 0; ; request++ {
				q, err := http.ReadRequest(r)
				if err != nil || connection == 0 && request == 1 {
					break // the second of the first connection has no answer
				}
				if len(q.Header["Idempotency-Key"]) > 0 {
					t.Errorf("%v", q.Header)
				}
				answered.Add(1)
				const events = "data: {\"choices\":[{\"text\":\"x\",\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n"
				q.Body.Close()
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(events), events)
			}
			c.Close()
		}
	}()
	d := New(l.Addr().String())
	for i := range 3 {
		if _, err := d.Complete(context.Background(), "a", Options{}, func(string) {}); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if n := answered.Load(); n != 3 {
		t.Errorf("%d answers", n)
	}
}
