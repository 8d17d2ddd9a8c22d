package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// This file owns tests of waiting for a daemon that loads.

// loading refuses so many times as a daemon that loads does, then answers.
func loading(t *testing.T, refusals int) (c *Client, asked *int) {
	asked = new(int)
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		*asked++
		if *asked > refusals {
			io.WriteString(w, event(hel)+event(stop)+event("[DONE]"))
			return
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, `{"error":{"message":"the model is loading: %d %%","type":"loading","progress":%d}}`, 20**asked, 20**asked)
	}), asked
}

func TestWaitsForALoad(t *testing.T) {
	c, asked := loading(t, 2)
	var heard []int
	c.Loading = Patience{Limit: time.Minute, Report: func(percent int) { heard = append(heard, percent) }, Done: func() { heard = append(heard, -1) }}
	stats, err := c.Chat(context.Background(), nil, Options{}, func(string) {})
	if err != nil || *asked != 3 || !reflect.DeepEqual(heard, []int{20, 40, -1}) {
		t.Errorf("%v, asked %d times, heard %v", err, *asked, heard)
	}
	if stats.Total >= defaultPause {
		t.Errorf("the answer took %v: loading is counted", stats.Total)
	}
}

func TestPatienceEnds(t *testing.T) {
	for _, limit := range []time.Duration{0, time.Millisecond} {
		c, asked := loading(t, 100)
		c.Loading.Limit = limit
		_, err := c.Chat(context.Background(), nil, Options{}, nil)
		var refused *StatusError
		if !errors.As(err, &refused) || refused.Status != 503 || !strings.Contains(err.Error(), "loading") || (limit == 0) != (*asked == 1) {
			t.Errorf("limit %v: %v, asked %d times", limit, err, *asked)
		}
	}
}

func TestWaitIsInterrupted(t *testing.T) {
	c, _ := loading(t, 100)
	ctx, cancel := context.WithCancel(context.Background())
	c.Loading = Patience{Limit: time.Hour, Report: func(int) { cancel() }}
	if _, err := c.Chat(ctx, nil, Options{}, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Any other refusal is no load, whatever it says of itself.
func TestOtherRefusalsAreErrorsAtOnce(t *testing.T) {
	for _, r := range []struct {
		status int
		body   string
	}{
		{503, `{"error":{"message":"shutting down","type":"server_error"}}`},
		{503, `{"error":{"type":"loading"}}`},
		{503, "loading"},
		{500, `{"error":{"message":"x","type":"loading"}}`},
		{429, `{"error":{"message":"x","type":"rate_limit_error","progress":5}}`},
	} {
		asked := 0
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.WriteHeader(r.status)
			io.WriteString(w, r.body)
		})
		c.Loading.Limit = time.Hour
		if _, err := c.Chat(context.Background(), nil, Options{}, nil); err == nil || asked != 1 {
			t.Errorf("%+v: %v, asked %d times", r, err, asked)
		}
	}
}

// What a server says of its progress and of the time to wait is held to what can be.
func TestLoadingFigures(t *testing.T) {
	for _, r := range []struct {
		progress, after string
		percent         int
		pause           time.Duration
	}{
		{"41.7", "3", 41, 3 * time.Second},
		{"-5", "-1", 0, 0},
		{"1e300", "soon", 100, 0},
		{"100", "Wed, 21 Oct 2026 07:28:00 GMT", 100, 0},
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", r.after)
			w.WriteHeader(503)
			io.WriteString(w, `{"error":{"message":"m","type":"loading","progress":`+r.progress+`}}`)
		})
		_, err := c.get(context.Background(), "/v1/models")
		var refused *StatusError
		if !errors.As(err, &refused) || refused.percent != r.percent || refused.retryAfter != r.pause {
			t.Errorf("%+v: %+v", r, refused)
		}
	}
}
