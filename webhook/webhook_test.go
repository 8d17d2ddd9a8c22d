package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// This file owns tests of the sending, against servers that take, refuse, redirect, hang and lie.

var secret = []byte("0123456789abcdef0123456789abcdef")

func toServer(t *testing.T, handler http.HandlerFunc) *Sender {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return toURL(t, server.URL+"/hook?token=hidden")
}

func toURL(t *testing.T, address string) *Sender {
	t.Helper()
	to, err := ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	s := begin(to, key, time.Millisecond)
	t.Cleanup(s.Close)
	return s
}

// comesTo waits until counts are what they are to be.
func (s *Sender) comesTo(t *testing.T, want Counts) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); s.Counts() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v, want %+v", s.Counts(), want)
		}
	}
}

// logged has what is logged while a test runs.
func logged(t *testing.T) *bytes.Buffer {
	var text bytes.Buffer
	var mu sync.Mutex
	was := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(lockedWriter{&mu, &text}, nil)))
	t.Cleanup(func() { slog.SetDefault(was) })
	return &text
}

type lockedWriter struct {
	mu *sync.Mutex
	to io.Writer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// byHand is HMAC-SHA256 as RFC 2104 defines it, out of the hash alone.
func byHand(key, text []byte) string {
	block := make([]byte, 64)
	copy(block, key)
	inner, outer := make([]byte, 64), make([]byte, 64)
	for i, b := range block {
		inner[i], outer[i] = b^0x36, b^0x5c
	}
	within := sha256.Sum256(append(inner, text...))
	sum := sha256.Sum256(append(outer, within[:]...))
	return hex.EncodeToString(sum[:])
}

func TestSignature(t *testing.T) {
	type got struct {
		header http.Header
		body   []byte
	}
	came := make(chan got, 1)
	s := toServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		came <- got{r.Header, body}
		w.WriteHeader(204)
	})
	s.Tell(map[string]any{"model": "m", "n": 3})
	g := <-came
	s.comesTo(t, Counts{Delivered: 1})
	at, sum, _ := strings.Cut(strings.TrimPrefix(g.header.Get(SignatureHeader), "t="), ",v1=")
	if string(g.body) != `{"model":"m","n":3}` || sum != byHand(secret, []byte(at+"."+string(g.body))) || len(sum) != 64 {
		t.Errorf("%s is signed %q", g.body, g.header)
	}
	if seconds, err := time.ParseDuration(at + "s"); err != nil || time.Since(time.Unix(int64(seconds.Seconds()), 0)).Abs() > time.Minute {
		t.Errorf("signed at %s", at)
	}
	if g.header.Get("Content-Type") != "application/json" || len(g.header.Get(EventHeader)) != 32 {
		t.Errorf("%v", g.header)
	}
}

// What fails for a while is tried again as the same event; what will never do is not.
func TestTries(t *testing.T) {
	for _, c := range []struct {
		status, asked int
		want          Counts
	}{
		{200, 1, Counts{Delivered: 1}}, {503, 3, Counts{Delivered: 1}}, {429, 3, Counts{Delivered: 1}},
		{400, 1, Counts{Failed: 1}}, {404, 1, Counts{Failed: 1}}, {302, 1, Counts{Failed: 1}},
	} {
		var asked atomic.Int32
		ids := sync.Map{}
		s := toServer(t, func(w http.ResponseWriter, r *http.Request) {
			ids.Store(r.Header.Get(EventHeader), true)
			if n := asked.Add(1); n < 3 {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
			}
		})
		s.Tell("event")
		s.comesTo(t, c.want)
		different := 0
		ids.Range(func(any, any) bool { different++; return true })
		if int(asked.Load()) != c.asked || different != 1 {
			t.Errorf("%d: asked %d times by %d names, want %d by 1", c.status, asked.Load(), different, c.asked)
		}
	}
}

func TestTriesEnd(t *testing.T) {
	text := logged(t)
	var asked atomic.Int32
	s := toServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.WriteHeader(500)
	})
	for range 3 {
		s.Tell("event")
	}
	s.comesTo(t, Counts{Failed: 3})
	s.Close()
	if asked.Load() != 3*tries {
		t.Errorf("asked %d times", asked.Load())
	}
	if log := text.String(); strings.Count(log, "not delivered") != 1 || !strings.Contains(log, "it answered 500") || strings.Contains(log, "hidden") {
		t.Errorf("%s", log)
	}
}

// A redirect is not followed, wherever it leads.
func TestNoRedirect(t *testing.T) {
	var led atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { led.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := toServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		s.Tell("event")
		s.comesTo(t, Counts{Failed: 1})
	}
	if led.Load() != 0 {
		t.Errorf("%d redirects were followed", led.Load())
	}
}

// A server that hangs holds up nobody: who tells goes on at once, what has no room is dropped and counted, and the end waits for nothing.
func TestFlood(t *testing.T) {
	asked, leave := make(chan bool, 1), make(chan bool)
	s := toServer(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- true:
		default:
		}
		<-leave
	})
	defer close(leave)
	s.Tell("first")
	<-asked // it is not in the queue any more
	for range 1000 {
		s.Tell("event")
	}
	if c := s.Counts(); c.Dropped != 1000-mostWaiting || c.Delivered+c.Failed != 0 {
		t.Errorf("%+v", c)
	}
	s.Tell(strings.Repeat("x", mostBody))
	s.Tell(func() {})
	if c := s.Counts(); c.Dropped != 1002-mostWaiting {
		t.Errorf("of what can't be sent %+v", c)
	}
	s.Close()
}

// A name that stands for this machine, or for where a cloud has its keys, is not connected to, though the setting could not show it.
func TestRebinding(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	s := toURL(t, "http://receiver.example/hook")
	lies := URL{text: server.URL, host: "receiver.example"} // what the name stands for by now
	s.url.text, s.client = lies.text, lies.client()
	s.Tell("event")
	s.comesTo(t, Counts{Failed: 1})
	err := s.post("id", nil)
	if wrong := (*AddressError)(nil); !errors.As(err, &wrong) || !wrong.Address.IsLoopback() || asked.Load() != 0 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
}

func TestAddresses(t *testing.T) {
	refused := []string{
		"0.0.0.0", "::", "169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "224.0.0.1", "ff02::1", "255.255.255.255",
		"fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "::ffff:168.63.129.16", "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1",
	}
	byName := URL{host: "receiver.example"}
	for _, a := range refused {
		if byName.check(netip.MustParseAddr(a)) == nil {
			t.Errorf("%s may be connected to", a)
		}
	}
	for _, a := range []string{"10.1.2.3", "192.168.1.1", "fd12::1", "93.184.216.34", "2606:2800::1", "64:ff9b::5db8:d822"} {
		if err := byName.check(netip.MustParseAddr(a)); err != nil {
			t.Error(err)
		}
	}
}

func TestParseURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://hooks.example/x": "", "http://127.0.0.1:9000/x": "", "http://localhost": "", "http://[::1]:9000": "", "http://10.0.0.7": "",
		"": "http://", "ftp://x": "http://", "hooks.example/x": "http://", "http://": "no host", "http:///x": "no host", "http://user:word@x/": "user's name",
		"http://x/#a": "fragment", "http://169.254.169.254/latest": "link-local", "http://0.0.0.0": "no machine's", "http://[ff02::1]": "many machines'", "http://%zz": "no URL", "http://\x00": "no URL",
	} {
		_, err := ParseURL(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "word") {
			t.Errorf("%q: the error has the password: %v", text, err)
		}
	}
}

func TestReadKey(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good", "  "+string(secret)+"\n", 0o600)
	t.Setenv("CREDENTIALS_DIRECTORY", folder)
	for _, name := range []string{good, "good"} {
		k, err := ReadKey(name)
		if err != nil || string(k.secret) != string(secret) {
			t.Errorf("%s: %q, %v", name, k.secret, err)
		}
	}
	for name, want := range map[string]string{
		file("open", string(secret), 0o644): "chmod 600", file("group", string(secret), 0o640): "chmod 600", file("short", "abc\n", 0o600): "16 bytes",
		file("long", strings.Repeat("k", mostKey+1), 0o600): fmt.Sprint("more than ", mostKey), folder: "no file", filepath.Join(folder, "none"): "no such file", "none": "no such file",
	} {
		if _, err := ReadKey(name); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), string(secret)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := ReadKey("good"); err == nil || !strings.Contains(err.Error(), "LoadCredential=good") {
		t.Errorf("without credentials: %v", err)
	}
}
