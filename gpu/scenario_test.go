package gpu_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chimera/gpu"
	"chimera/gpu/gputest"
)

// The verdicts of each scenario stand in its file: go test ./gpu -run Scenarios -rewrite

// play runs the real watcher through a scenario, in time that passes only when all wait.
func play(t *testing.T, s *gputest.Scenario) string {
	var log strings.Builder
	synctest.Test(t, func(t *testing.T) {
		start, over := time.Now(), make(chan struct{})
		say := func(format string, args ...any) {
			fmt.Fprintf(&log, "%v ", time.Since(start).Round(100*time.Millisecond))
			fmt.Fprintf(&log, format+"\n", args...)
		}
		w := gpu.New(s.Open(over), func(n gpu.Notice) {
			if n.Xid != 0 {
				say("gpu %d: Xid %d", n.Device.Index, n.Xid)
				return
			}
			say("gpu %d: %s", n.Device.Index, gputest.Words(n.Verdict))
		})
		w.ComputesOn(s.Places())
		ctx, cancel := context.WithTimeout(t.Context(), s.Length)
		defer cancel()
		ended := make(chan struct{})
		go func() { w.Run(ctx); close(ended) }()
		for at := time.Duration(0); at < s.Length; at += time.Second {
			time.Sleep(time.Second)
			if st := w.State(); st.Devices == nil { // answered at once, whatever hangs
				t.Error("there is no list of devices")
			}
		}
		if st := w.State(); st.Reason != "" || st.Events != "" {
			say("%s%s", st.Reason, st.Events)
		}
		<-ended
		close(over)
	})
	return log.String()
}

func TestScenarios(t *testing.T) {
	list, err := gputest.All("testdata")
	if err != nil || len(list) < 15 {
		t.Fatalf("%d scenarios, %v", len(list), err)
	}
	for _, s := range list {
		t.Run(s.Name, func(t *testing.T) {
			got := play(t, s)
			if *gpu.Rewrite {
				if err := os.WriteFile(filepath.Join("testdata", s.Name+".txt"), []byte(s.Head+"---\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != s.Verdicts {
				t.Errorf("%s\n%s\nwant\n%s", s.Title, got, s.Verdicts)
			}
		})
	}
}
