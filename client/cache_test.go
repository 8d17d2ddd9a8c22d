package client

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// This file owns tests of what cache shows, and of what load and unload ask for.

func TestCache(t *testing.T) {
	answer := ""
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/cache" {
			io.WriteString(w, answer)
		}
	})
	for _, s := range []struct {
		answer string
		lines  []string
	}{
		{`{"caches":[]}`, []string{"no model with a cache is loaded"}},
		{`{"caches":[{"model":"a","pages":{"free":1,"computing":2,"used":3,"cached":4,"pinned":5,"total":10},"prompt_tokens":200,"hit_tokens":50,"evictions":7,
			"prefixes":[{"name":"x\ny","key":"0f","tokens":32,"uses":9,"hotness":2.5,"saved_seconds":1.25},{"key":"aa","tokens":16}]},
			{"model":"b","pages":{},"prefixes":[],"more":1}]}`, []string{
			"a: 25 % of prompt tokens taken from the cache; of 10 pages 5 in use, 4 cached, 5 pinned, 7 evicted so far",
			"PREFIX  PINNED  TOKENS  USES  HOTNESS  SAVED", "0f      x^Jy    32      9     2.50     1.2 s", "aa      -       16      0     0.00     0.0 s", "",
			"b: 0 % of prompt tokens taken from the cache; of 0 pages 0 in use, 0 cached, 0 pinned, 0 evicted so far",
		}},
	} {
		answer = s.answer
		text, err := c.Cache(context.Background())
		if err != nil || string(text) != answer {
			t.Fatalf("%v %s", err, text)
		}
		caches, err := ParseCaches(text)
		var out strings.Builder
		if err == nil {
			err = caches.Print(&out)
		}
		if want := strings.Join(s.lines, "\n") + "\n"; err != nil || out.String() != want {
			t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
		}
	}
	if _, err := ParseCaches([]byte("<html>")); err == nil {
		t.Error("a page is no cache")
	}
}

func TestLoadAndUnload(t *testing.T) {
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.EscapedPath())
		if strings.Contains(r.URL.Path, "bad") {
			w.WriteHeader(500)
			io.WriteString(w, `{"error":{"message":"cut short"}}`)
		}
	})
	ctx := context.Background()
	if err := c.Load(ctx, "a/b c?"); err != nil {
		t.Error(err)
	}
	if err := c.Unload(ctx, "é"); err != nil {
		t.Error(err)
	}
	if err := c.Load(ctx, "bad"); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("%v", err)
	}
	if got := strings.Join(asked, ", "); got != "POST /v1/models/a%2Fb%20c%3F/load, POST /v1/models/%C3%A9/unload, POST /v1/models/bad/load" {
		t.Error(got)
	}
}
