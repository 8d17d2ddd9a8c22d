package daemon

import (
	"errors"
	"log/slog"
	"time"
)

// This file owns the second signal: the administrator does not want to wait for answers. They are cut off as at the end of drainTime,
// each with its last word, and the process ends with a failure.

// oneAsk is how long signals count as one. timeout(1) sends its own to the child and to the group, a terminal and a supervisor may both
// send theirs, and nobody changes their mind so soon.
const oneAsk = time.Second

// lastWordTime is how long the process may take to end after the second signal: what answers have to say why they end
// (2 s, of package socket), and a moment to stop the rest.
const lastWordTime = 3 * time.Second

// errAskedTwice ends a daemon that was not to wait for its answers.
var errAskedTwice = errors.New("killed while draining: a second signal")

// hearSecond has the end hurry when the administrator has asked twice, whenever the first was, and kills what has not ended then.
// Who asks once while the daemon drains for its GPU's sake gets what is under way.
func (s *server) hearSecond(ended <-chan struct{}, kill func()) {
	if s.asked.IsZero() {
		slog.Info("stopping already: a second signal cuts off what runs", "signal", (<-s.terminate).String())
		s.asked = time.Now()
	}
	sig := <-s.terminate
	for time.Since(s.asked) < oneAsk {
		sig = <-s.terminate
	}
	slog.Error("killed while draining", "signal", sig.String())
	close(s.hurried)
	select {
	case <-ended:
	case <-time.After(lastWordTime):
		kill()
	}
}

// inHurry is why the end does not wait, nil if it does.
func (s *server) inHurry() error {
	select {
	case <-s.hurried:
		return errAskedTwice
	default:
		return nil
	}
}
