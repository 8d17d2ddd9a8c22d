package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

const gpuAnswer = `{"devices":[
 {"index":0,"name":"A","bus":"0000:17:00.0","verdict":{"action":"drain","needs":"GPU reset","reason":"why","since":"x"},"reading":{"memory_used_bytes":1048576,"memory_total_bytes":3145728,
  "utilisation_percent":0,"power_watts":412.5,"power_limit_watts":700,"temperature_celsius":64,"sm_clock_mhz":1755,"throttle":["hw_slowdown","hw_power_brake"],"mig":true}},
 {"index":1,"name":"B","bus":"0000:18:00.0","verdict":{"action":"serve","reason":""},"reading":{"throttle":[],"power_watts":3}},
 {"index":2,"name":"C","bus":"0000:19:00.0","verdict":{"action":"unknown","reason":"stale"}}]}`

const gpuTable = `GPU  NAME     BUS           MEMORY MIB  USE %  POWER W  TEMP C  SM MHZ  THROTTLED                   VERDICT
0    A (MIG)  0000:17:00.0  1/3         0      412/700  64      1755    hw_slowdown,hw_power_brake  drain (GPU reset): why
1    B        0000:18:00.0  -           -      3/-      -       -       no                          serve
2    C        0000:19:00.0  -           -      -        -       -       -                           unknown: stale
`

func TestGPUTable(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/gpu" {
			io.WriteString(w, gpuAnswer)
		}
	})
	text, err := c.GPU(context.Background())
	if err != nil || string(text) != gpuAnswer {
		t.Fatalf("%v %s", err, text)
	}
	g, err := ParseGPUs(text)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := g.Print(&out); err != nil || out.String() != gpuTable {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), gpuTable)
	}
	if _, err := ParseGPUs([]byte("<html>")); err == nil {
		t.Error("a page was taken for a list")
	}
}

// The verb reads the driver itself only where no daemon is, not where one refuses.
func TestNoDaemon(t *testing.T) {
	if _, err := New(filepath.Join(t.TempDir(), "no.sock")).GPU(context.Background()); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("%v", err)
	}
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusNotFound) })
	if _, err := c.GPU(context.Background()); err == nil || errors.Is(err, ErrNoDaemon) {
		t.Errorf("%v", err)
	}
}
