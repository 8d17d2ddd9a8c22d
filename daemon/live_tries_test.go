package daemon

import (
	"testing"
	"time"
)

// A sample that takes longer than it may begins anew, and is lost in the end: it holds up no others for good.
func TestLongSamplesAreLost(t *testing.T) {
	r := small(t, "q2_k", 20, nil)
	r.models.live.patience = time.Nanosecond
	r.watchesLive()
	r.asksWords(3)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		all := r.models.live.shown("m").Requests[0]
		if all.Drawn == 3 && all.Lost == 3 && all.Waiting == 0 && all.Scored == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", all)
		}
	}
}
