package client

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// This file owns tests of what ps shows.

func TestStatus(t *testing.T) {
	answer := ""
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/status" {
			w.WriteHeader(404)
			return
		}
		io.WriteString(w, answer)
	})
	for _, s := range []struct {
		answer string
		lines  []string
	}{
		{`{"state":"loading","loading_percent":42,"uptime_seconds":3.4,"models":[{"id":"a","state":"loading","waiting":2,"loading_percent":42}],"model":null,"more":1}`,
			[]string{"a      -        0        2        0           -     loading (42 %)", "loading, 42 % read, up for 3s", "0 running, 0 waiting, 0 of 0 KV pages in use, 0 cached"}},
		{`{"state":"serving","uptime_seconds":90.2,"models":[{"id":"a","loaded":true,"max_model_len":512,"state":"ready","running":3,"waiting":2,"memory_bytes":104857600},
				{"id":"b","state":"ready","idle_seconds":61.2,"memory_bytes":-1},{"id":"c","state":"failed","problem":"no\nfile"},{"id":"d","loaded":true},{"id":"e"}],
			"model":{"id":"a","numerics_id":"fp","backend":"cpu","tier":"q4_k","threads":2,"threads_bound_by":"the machine's cores"},
			"requests":{"running":3,"waiting":2,"own":{"running":1,"waiting":6},"admission_limit":4,"admission_reason":"hot"},"kv_pages":{"used":10,"cached":5,"total":40},
			"memory":[{"purpose":"weights","mapped_bytes":104857600},{"purpose":"staging","mapped_bytes":0}],
			"gpus":[{"index":1,"name":"X","bus":"0000:17:00.0","verdict":{"action":"degrade","needs":"","reason":"hot"}}],"utilisation":{"device_busy":0.416,"cores_used":1.704,"cores":2,"cpu_watts":35.21,"gpu_watts":null},"history":{"state":"failing","problem":"disk\n full"}}`,
			[]string{"the history is failing: disk^J full", "a      512      3        2        100         -     ready", "b      -        0        0        0           1m1s  ready",
				"c      -        0        0        0           -     failed: no^Jfile", "d      -        0        0        0           -     loaded", "e      -        0        0        0           -     -", "serving, up for 1m30s", "cpu, 2 threads (the machine's cores), tier q4_k, numerics fp",
				"3 running, 2 waiting, 10 of 40 KV pages in use, 5 cached", "1 running, 6 waiting of the daemon's own", "at most 4 run at a time: hot", "last minute: steps for 42 % of the time, 1.70 of 2 cores, processors 35.2 W", "memory for weights: 100 MiB",
				"GPU 1 X (0000:17:00.0): degrade: hot"}},
	} {
		answer = s.answer
		text, err := c.Status(context.Background())
		if err != nil || string(text) != answer {
			t.Fatalf("%v %s", err, text)
		}
		status, err := ParseStatus(text)
		var out strings.Builder
		if err == nil {
			err = status.Print(&out)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range s.lines {
			if !strings.Contains("\n"+out.String(), "\n"+line+"\n") {
				t.Errorf("no line %q in\n%s", line, out.String())
			}
		}
		if strings.Contains(out.String(), "staging") {
			t.Errorf("a purpose without memory is shown:\n%s", out.String())
		}
	}
	if _, err := ParseStatus([]byte("<html>")); err == nil {
		t.Error("a page is no status")
	}
}

// A server may count as it likes: what no clock and no load can say is the nearest that one can.
func TestStatusOfOddFigures(t *testing.T) {
	for answer, line := range map[string]string{
		`{"state":"x","uptime_seconds":1e300}`:                       "x, up for 2562047h47m16s",
		`{"state":"x","uptime_seconds":9223372036.9}`:                "x, up for 2562047h47m16s",
		`{"state":"x","uptime_seconds":9223372035.2}`:                "x, up for 2562047h47m15s",
		`{"state":"x","uptime_seconds":-1e300}`:                      "x, up for 0s",
		`{"state":"x","uptime_seconds":0.4}`:                         "x, up for 0s",
		`{"state":"loading","loading_percent":-7}`:                   "loading, 0 % read, up for 0s",
		`{"state":"loading","loading_percent":9007199254740993}`:     "loading, 100 % read, up for 0s",
		`{"state":"x","memory":[{"purpose":"a","mapped_bytes":-1}]}`: "x, up for 0s",
	} {
		status, err := ParseStatus([]byte(answer))
		var out strings.Builder
		if err == nil {
			err = status.Print(&out)
		}
		if err != nil || !strings.Contains(out.String(), "\n"+line+"\n") || strings.Contains(out.String(), "MiB") {
			t.Errorf("%s: %v\n%s", answer, err, out.String())
		}
	}
}
