package daemon

import (
	"context"
	"errors"
	"log/slog"

	"chimera/api"
	"chimera/config"
	"chimera/scheduler"
	"chimera/scheduler/trace"
)

// This file owns the recording of a trace, where the settings ask for one.

// recordTrace begins the recording, and ends it when the daemon stops.
func (s *server) recordTrace() error {
	if s.config.RecordTrace == "" {
		return nil
	}
	r, err := trace.Record(s.config.RecordTrace)
	if err != nil {
		return &config.Error{Err: errors.Join(errors.New("record_trace: the file can't be written"), err)}
	}
	s.onStop(func() {
		if err := r.Close(); err != nil {
			slog.Error("the recorded trace is not whole", "cause", err)
		}
	})
	slog.Info("requests are recorded, without their texts", "file", s.config.RecordTrace)
	s.models.ended = func(e api.Ended) { r.Add(traced(e)) }
	return nil
}

// bytesAToken is what English text has, for prompts that nobody tokenised.
const bytesAToken = 4

// traced is what a trace has of a request.
func traced(e api.Ended) trace.Ended {
	end := trace.Done
	switch {
	case errors.Is(e.Err, scheduler.ErrDeadline): // sent away from the queue: all that it asked for is still to be had
		end, e.Answer = trace.Refused, e.Request.MaxTokens
	case e.Refused != nil:
		end = trace.Refused
	case errors.Is(e.Err, context.Canceled):
		end = trace.Cancelled
	case e.Err != nil:
		end = trace.Failed
	}
	t := trace.Ended{Request: e.Request, Arrived: e.Arrived, Answer: e.Answer, End: end}
	if e.Ask != nil {
		t.Tokens = max(1, (e.Ask.PromptTokens+e.Ask.PromptBytes/bytesAToken)/max(1, e.Ask.Prompts))
	}
	return t
}
