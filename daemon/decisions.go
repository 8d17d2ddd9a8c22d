package daemon

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/api"
	"chimera/store"
)

// This file owns how steps from tier to tier are written down, and what becomes of one that an end of the process has left half done.

// decide writes a decision, which may be applied when it returns without an error. Where there is no history, nobody wants it kept.
func (h *history) decide(ctx context.Context, d store.Decision) (row int64, err error) {
	if h.keepsNothing() {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return h.store.Decide(ctx, d)
}

// settle writes how it ended. If that can't be written, the next start takes the decision for one that was not applied, which by then is so: a
// daemon begins with the tier of its settings.
func (h *history) settle(d store.Decision) {
	if h.keepsNothing() || d.Row == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	if err := h.store.Settle(ctx, d.Row, d.State); err != nil {
		slog.Warn("tier: the history does not know how a decision ended", "model", d.Model, "to", d.To, "state", string(d.State), "cause", err)
	}
}

func (h *history) keepsNothing() bool { return h == nil || h.store == nil }

// shownDecisions is how far back the models' events go after a start.
const shownDecisions = 30 * 24 * time.Hour

// recallDecisions settles what the last daemon has left begun, and gives the models the events of late.
func (h *history) recallDecisions(all *runtimes) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	var left []store.Decision
	for d, err := range h.store.Unfinished(ctx) {
		if err != nil {
			return err
		}
		left = append(left, d)
	}
	for _, d := range left {
		slog.Warn("tier: the last daemon ended before this was applied", "model", d.Model, "from", d.From, "to", d.To)
		if err := h.store.Settle(ctx, d.Row, store.Reverted); err != nil && !errors.Is(err, store.ErrSettled) {
			return err
		}
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	for d, err := range h.store.Decisions(ctx, store.Span{From: time.Now().Add(-shownDecisions)}) {
		if err != nil {
			return err
		}
		if r := all.find(d.Model); r != nil && d.Model != "" {
			r.tell(eventOf(d, nil))
		}
	}
	return nil
}

// eventOf is a decision as clients see it. cause is why it was not applied, where that is known.
func eventOf(d store.Decision, cause error) api.TierEvent {
	e := api.TierEvent{Time: d.Time, From: d.From, To: d.To, Reason: d.Reason, Evidence: jsontext.Value(d.Evidence), State: string(cmp.Or(d.State, store.Begun))}
	if own := (*api.HTTPError)(nil); errors.As(cause, &own) {
		e.Problem = own.Message
	} else if cause != nil {
		e.Problem = cause.Error()
	}
	return e
}
