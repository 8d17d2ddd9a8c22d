package daemon

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// This file owns tests of the second signal.

// However the end began, by a signal or without, it takes two in all to hurry it, the second not at once behind the first; what has not
// ended a moment later is killed.
func TestAskedTwice(t *testing.T) {
	for _, asked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			slog.SetDefault(slog.New(slog.DiscardHandler))
			terminate, killed := make(chan os.Signal, 2), atomic.Bool{}
			s := &server{terminate: terminate, hurried: make(chan struct{})}
			if asked {
				s.asked = time.Now()
			} else {
				time.Sleep(time.Minute)
			}
			go s.hearSecond(nil, func() { killed.Store(true) })
			ask := func() {
				terminate <- syscall.SIGTERM
				synctest.Wait()
			}
			if !asked {
				ask()
			}
			for range 3 { // timeout(1) and the group
				ask()
			}
			time.Sleep(oneAsk - time.Millisecond)
			if ask(); s.inHurry() != nil {
				t.Error("what came at once behind the first is taken for a second")
			}
			time.Sleep(time.Millisecond)
			if ask(); !errors.Is(s.inHurry(), errAskedTwice) || killed.Load() {
				t.Errorf("after the second: %v, killed at once: %t", s.inHurry(), killed.Load())
			}
			time.Sleep(lastWordTime)
			if synctest.Wait(); !killed.Load() {
				t.Error("what hangs is not killed")
			}
		})
	}
}

// What has ended in time is not killed.
func TestWhatHasEndedIsNotKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slog.SetDefault(slog.New(slog.DiscardHandler))
		terminate, ended := make(chan os.Signal, 2), make(chan struct{})
		s := &server{terminate: terminate, asked: time.Now(), hurried: make(chan struct{})}
		go s.hearSecond(ended, func() { t.Error("killed") })
		time.Sleep(oneAsk)
		terminate <- syscall.SIGTERM
		<-s.hurried
		close(ended)
		time.Sleep(2 * lastWordTime)
	})
}

// The second signal ends the drain, and who waits for an answer still hears why there is none.
func TestSecondSignalLeavesTheLastWord(t *testing.T) {
	s, answered := loadingServer(t)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	c := make(chan os.Signal, 2)
	s.terminate, s.asked = c, time.Now().Add(-oneAsk)
	c <- syscall.SIGTERM
	if err := s.end(nil); !errors.Is(err, errAskedTwice) {
		t.Errorf("the end: %v", err)
	}
	r := <-answered
	if r == nil {
		return
	}
	defer r.Body.Close()
	if text, err := io.ReadAll(r.Body); err != nil || r.StatusCode != 503 || !strings.Contains(string(text), "shutting_down") {
		t.Errorf("%v %d %s", err, r.StatusCode, text)
	}
}
