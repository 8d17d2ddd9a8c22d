// Package webhook owns telling somebody else's server of events: one address, of the administrator's choice, that JSON is posted to, signed, in the background.
// It never holds up who tells, however slow or broken that server is.
//
// This file owns the sending: the queue, the tries, the deadline.
package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// mostWaiting is how many events wait at most: alarms are rare, and a server that is away for long gets the first of them, which say what began.
	mostWaiting = 64
	// mostBody bounds an event in bytes.
	mostBody = 64 << 10
	// deadline is that of one try, from the look-up of the name to the answer's head: receivers are meant to take an event in and work on it later.
	deadline = 10 * time.Second
	// tries are how often an event is sent, with firstPause between the first two and each pause twice that before: half a minute in all, which a restart of the
	// receiver takes.
	tries      = 6
	firstPause = time.Second
)

// Counts are what became of events since the start.
type Counts struct {
	Delivered int64 // the receiver answered with a status of 2xx
	Failed    int64 // it was tried as often as it is, or the receiver will not have it
	Dropped   int64 // too many waited, or it was too large
}

// Sender sends events to one address. Make it with New and end it with Close.
type Sender struct {
	url    URL
	key    Key
	client *http.Client
	queue  chan []byte
	pause  time.Duration // firstPause, but in tests
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}

	delivered, failed, dropped atomic.Int64
	silent                     bool // a failure has been told of, and nothing was delivered since
}

// New begins to send what it is told of.
func New(to URL, key Key) *Sender { return begin(to, key, firstPause) }

func begin(to URL, key Key, pause time.Duration) *Sender {
	s := &Sender{url: to, key: key, client: to.client(), queue: make(chan []byte, mostWaiting), pause: pause, ended: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	go s.run()
	return s
}

// Tell has an event sent. It does not wait; event is anything that is JSON.
func (s *Sender) Tell(event any) {
	body, err := json.Marshal(event)
	if err == nil && len(body) > mostBody {
		err = fmt.Errorf("it has %d bytes, at most %d", len(body), mostBody)
	}
	if err != nil {
		s.dropped.Add(1)
		slog.Warn("webhook: an event is not sent", "cause", err)
		return
	}
	select {
	case s.queue <- body:
	default:
		s.dropped.Add(1)
	}
}

// Counts are those since the start.
func (s *Sender) Counts() Counts {
	return Counts{Delivered: s.delivered.Load(), Failed: s.failed.Load(), Dropped: s.dropped.Load()}
}

// Close ends the sending. What waits is not sent any more: it is in the log and in the history, and a stop waits for nobody's server.
func (s *Sender) Close() {
	s.cancel()
	<-s.ended
}

func (s *Sender) run() {
	defer close(s.ended)
	for {
		select {
		case <-s.ctx.Done():
			return
		case body := <-s.queue:
			if err := s.deliver(body); s.ctx.Err() == nil {
				s.note(err)
			}
		}
	}
}

// note counts what became of an event. Of failures in a row the first is told.
func (s *Sender) note(err error) {
	if err == nil {
		s.delivered.Add(1)
		if s.silent {
			slog.Info("webhook: events are delivered again", "host", s.url.host)
		}
		s.silent = false
		return
	}
	s.failed.Add(1)
	if !s.silent {
		slog.Warn("webhook: an event is not delivered; further failures are only counted until one is", "host", s.url.host, "cause", err)
	}
	s.silent = true
}

// refusedError is of a receiver or an address that another try would not change.
type refusedError struct{ error }

func (e *refusedError) Unwrap() error { return e.error }

// deliver sends an event until it is taken, refused for good, or was tried often enough.
func (s *Sender) deliver(body []byte) (err error) {
	var name [16]byte
	rand.Read(name[:]) // never fails
	id, pause := hex.EncodeToString(name[:]), s.pause
	for try := range tries {
		if try > 0 {
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
				return s.ctx.Err()
			}
			pause *= 2
		}
		if err = s.post(id, body); err == nil || errors.As(err, new(*refusedError)) || errors.As(err, new(*AddressError)) {
			return err
		}
	}
	return fmt.Errorf("%d tries: %w", tries, err)
}

// post sends an event once. Each try has a signature of its own time, and all have the event's id.
func (s *Sender) post(id string, body []byte) error {
	ctx, cancel := context.WithTimeout(s.ctx, deadline)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.text, bytes.NewReader(body))
	if err != nil {
		return &refusedError{err}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "chimera")
	r.Header.Set(EventHeader, id)
	r.Header.Set(SignatureHeader, s.key.Sign(time.Now(), body))
	answer, err := s.client.Do(r)
	if err != nil {
		return s.url.hide(err)
	}
	defer answer.Body.Close()
	io.CopyN(io.Discard, answer.Body, 4<<10) // so that the connection may be used again; of what is longer it is closed
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 300 && code < 400:
		return &refusedError{fmt.Errorf("it answered %d: redirects are not followed, give the address itself", code)}
	case code >= 400 && code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout:
		return &refusedError{fmt.Errorf("it answered %d", code)}
	default:
		return fmt.Errorf("it answered %d", code)
	}
}
