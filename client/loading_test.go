package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// This file owns tests of waiting for a daemon that loads.

// loading refuses so many questions as a daemon that loads does, then answers.
func loading(t *testing.T, refusals int) (c *Client, asked *int) {
	asked = new(int)
	var mu sync.Mutex // the client asks for the answer and for the progress side by side
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/v1/status" {
			fmt.Fprintf(w, `{"state":"loading","loading_percent":%d}`, 20**asked)
			return
		}
		*asked++
		if *asked > refusals {
			io.WriteString(w, event(hel)+event(stop)+event("[DONE]"))
			return
		}
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, `{"error":{"message":"the model is loading, %d %% of it is read","code":"loading"}}`, 20**asked)
	}), asked
}

func TestWaitsForALoad(t *testing.T) {
	c, asked := loading(t, 1)
	var heard []int
	c.Loading = Patience{Limit: time.Minute, Report: func(percent int) { heard = append(heard, percent) }, Done: func() { heard = append(heard, -1) }}
	stats, err := c.Chat(context.Background(), nil, Options{}, func(string) {})
	if err != nil || *asked != 2 || len(heard) < 2 || heard[0] != 20 || heard[len(heard)-1] != -1 {
		t.Errorf("%v, asked %d times, heard %v", err, *asked, heard)
	}
	if stats.Total >= reportPause {
		t.Errorf("the answer took %v: loading is counted", stats.Total)
	}
}

// A daemon that holds the question while it loads is reported all the same, and one that answers is not.
func TestReportsWhileHeld(t *testing.T) {
	for state, want := range map[string][]int{"loading": {41, -1}, "serving": nil, "": nil} {
		held := make(chan struct{})
		asked := make(chan struct{}, 9)
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/status" {
				fmt.Fprintf(w, `{"state":%q,"loading_percent":41}`, state)
				asked <- struct{}{}
				return
			}
			<-held
			io.WriteString(w, event(stop)+event("[DONE]"))
		})
		var heard []int
		c.Loading = Patience{Report: func(percent int) { heard = append(heard, percent); close(held) }, Done: func() { heard = append(heard, -1) }}
		go func() {
			if <-asked; state != "loading" {
				close(held)
			}
		}()
		if _, err := c.Chat(context.Background(), nil, Options{}, nil); err != nil || !reflect.DeepEqual(heard, want) {
			t.Errorf("%q: %v, heard %v", state, err, heard)
		}
	}
}

// Without patience the first refusal is the error, and the daemon is asked once.
func TestNoPatience(t *testing.T) {
	c, asked := loading(t, 100)
	_, err := c.Chat(context.Background(), nil, Options{}, nil)
	var refused *StatusError
	if !errors.As(err, &refused) || refused.Status != 503 || !strings.Contains(err.Error(), "loading") || *asked != 1 {
		t.Errorf("%v, asked %d times", err, *asked)
	}
}

// When a daemon is asked, in seconds since the first time: as it says, each second at the most and each five at the least, and
// once more when patience ends.
func TestPatienceEnds(t *testing.T) {
	for _, c := range []struct {
		limit, after time.Duration
		asked        string
	}{
		{0, 2 * time.Second, "[0]"}, {time.Millisecond, 2 * time.Second, "[0 0.001]"}, {3 * time.Second, 2 * time.Second, "[0 2 3]"},
		{4 * time.Second, 2 * time.Second, "[0 2 4]"}, {2500 * time.Millisecond, 0, "[0 1 2 2.5]"}, {12 * time.Second, time.Hour, "[0 5 10 12]"},
	} {
		synctest.Test(t, func(t *testing.T) {
			refusal := &StatusError{Status: 503, loading: true, retryAfter: c.after}
			client, began, asked := Client{Loading: Patience{Limit: c.limit}}, time.Now(), []float64{}
			_, err := client.whenLoaded(t.Context(), func() (io.ReadCloser, error) {
				asked = append(asked, time.Since(began).Seconds())
				return nil, refusal
			})
			if err != refusal || fmt.Sprint(asked) != c.asked {
				t.Errorf("%v, asked after %v seconds, want %s", err, asked, c.asked)
			}
		})
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
		{503, `{"error":{"message":"shutting down","code":"shutting_down"}}`},
		{503, `{"error":{"code":"loading"}}`},
		{503, "loading"},
		{500, `{"error":{"message":"x","code":"loading"}}`},
		{429, `{"error":{"message":"x","code":"queue_full"}}`},
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
	var percent, after string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/status" {
			io.WriteString(w, `{"state":"loading","loading_percent":`+percent+`}`)
			return
		}
		w.Header().Set("Retry-After", after)
		w.WriteHeader(503)
		io.WriteString(w, `{"error":{"message":"m","code":"loading"}}`)
	})
	for text, want := range map[string]int{"41": 41, "-5": 0, "101": 100, "100": 100, "0": 0} {
		percent = text
		if got, loads := c.loadedPercent(context.Background()); got != want || !loads {
			t.Errorf("%s: %d %v", text, got, loads)
		}
	}
	for text, want := range map[string]time.Duration{"3": 3 * time.Second, "-1": 0, "soon": 0, "Wed, 21 Oct 2026 07:28:00 GMT": 0, "99999999999": 0} {
		after = text
		err := c.Load(context.Background(), "m")
		var refused *StatusError
		if !errors.As(err, &refused) || refused.retryAfter != want {
			t.Errorf("%s: %+v", text, refused)
		}
	}
}
