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
		{`{"caches":[{"model":"a","groups":[{"group":"full","total":10,"free":1,"computing":2,"used":3,"cached":4,"pinned":2},{"group":"w","total":3}],
			"lookups":20,"hits":5,"hit_tokens":50,"evictions":7,"saved_seconds":61.5,"pins":[{"name":"x","tokens":32,"ready":true},{"name":"z","tokens":32}],
			"prefixes":[{"name":"x\ny","key":"0f","tokens":32,"uses":9,"hotness":2.5,"saved_seconds":1.25},{"key":"aa","tokens":16}]},
			{"model":"b","prefixes":[],"more":1}]}`, []string{
			"a: 5 of 20 requests found a prefix, 50 tokens and 1m2s of computing were saved, 7 pages evicted",
			"full: of 10 pages 5 in use, 4 cached, 2 pinned", "w: of 3 pages 0 in use, 0 cached, 0 pinned", "pin z is being computed",
			"PREFIX  PINNED  TOKENS  USES  HOTNESS  SAVED", "0f      x^Jy    32      9     2.50     1.2 s", "aa      -       16      0     0.00     0.0 s", "",
			"b: 0 of 0 requests found a prefix, 0 tokens and 0s of computing were saved, 0 pages evicted",
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
			return
		}
		io.WriteString(w, `{"name":"a","state":"ready"}`)
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
