package daemon

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chimera/gpu"
	"chimera/socket"
)

// This file owns tests of the daemon while its model loads.

// Log and service manager are told how far a load is, and no more when it has ended.
func TestTellLoading(t *testing.T) {
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", manager.LocalAddr().String())
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)

	l, ended, told := &loadUnderWay{}, make(chan struct{}), make(chan struct{})
	l.progress(42, 100)
	go func() {
		tellLoading("m", l.percent, time.Millisecond, ended)
		close(told)
	}()
	if err := manager.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := manager.Read(b); err != nil || string(b[:n]) != "STATUS=loading m: 42 %" {
		t.Errorf("%q %v", b[:n], err)
	}
	close(ended)
	<-told
	if !strings.Contains(log.String(), "msg=loading model=m percent=42") {
		t.Errorf("the log: %s", &log)
	}
}

// loadingServer is a daemon whose model is on its way, with one client that waits for it.
func loadingServer(t *testing.T) (s *server, answered chan *http.Response) {
	t.Helper()
	l, err := socket.ListenTCP("0")
	if err != nil {
		t.Fatal(err)
	}
	c := fakeConfig(t, "m")
	s = &server{config: c, models: newFakeModels(t, c), listeners: []net.Listener{l}} // whose device does not come
	s.gpus = newGPUController(gpu.Open, func() {})
	s.remembersNothing()
	if err := s.startHTTP(); err != nil {
		t.Fatal(err)
	}
	answered = make(chan *http.Response, 1)
	go func() {
		r, err := http.Post("http://"+l.Addr().String()+"/v1/completions", "", strings.NewReader(`{"prompt":"x"}`))
		if err != nil {
			t.Error(err)
		}
		answered <- r
	}()
	select {
	case <-answered:
		t.Fatal("the client did not wait")
	case <-time.After(100 * time.Millisecond):
	}
	return s, answered
}

// A stop answers those who wait for the model, whether it lets them end or cuts them off: it is the server's doing.
func TestStopAnswersWhoWaits(t *testing.T) {
	for name, stop := range map[string]func(*server){
		"it drains": (*server).shutdownHTTP,
		"it cuts off": func(s *server) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = s.http.Shutdown(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, answered := loadingServer(t)
			stop(s)
			r := <-answered
			if r == nil {
				return
			}
			defer r.Body.Close()
			text, err := io.ReadAll(r.Body)
			if err != nil || r.StatusCode != 503 || !strings.Contains(string(text), "shutting_down") {
				t.Errorf("%v %d %s", err, r.StatusCode, text)
			}
		})
	}
}

// Who waits for the model is seen to wait, by people and by machines.
func TestWaitingForTheModelIsSeen(t *testing.T) {
	s, answered := loadingServer(t)
	for path, want := range map[string]string{"/v1/status": `"requests":{"running":0,"waiting":1}`, "/metrics": "\nchimera_requests_waiting{model=\"m\"} 1\n"} {
		r, err := http.Get("http://" + s.listeners[0].Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v: %s", path, err, text)
		}
	}
	s.shutdownHTTP()
	if r := <-answered; r != nil {
		r.Body.Close()
	}
	if n := s.models.Lanes()[0].Waiting; n != 0 || s.models.waiting != 0 {
		t.Errorf("%d wait when all were answered, with %d bytes", n, s.models.waiting)
	}
}

// A daemon that drains takes no connections. Who had connected just before is told what it does, and is not kept.
func TestDrainingIsSaid(t *testing.T) {
	s, answered := loadingServer(t)
	address := s.listeners[0].Addr().String()
	questions := map[string]string{"/v1/status": `"state":"draining"`, "/health/ready": `"code":"shutting_down"`}
	connections := map[string]net.Conn{}
	for path := range questions {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		connections[path] = c
	}
	time.Sleep(20 * time.Millisecond) // until both are accepted
	ended := make(chan struct{})
	go func() {
		s.shutdownHTTP()
		close(ended)
	}()
	if r := <-answered; r != nil {
		r.Body.Close()
	}
	for c, err := net.Dial("tcp", address); err == nil; c, err = net.Dial("tcp", address) {
		c.Close()
	}
	for path, want := range questions {
		c := connections[path]
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if a, err := io.ReadAll(c); err != nil || !strings.Contains(string(a), want) || !strings.Contains(string(a), "Connection: close") {
			t.Errorf("%s: %v %s", path, err, a)
		}
	}
	<-ended
}
