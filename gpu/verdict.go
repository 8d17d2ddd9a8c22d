package gpu

import (
	"strings"
	"time"
)

// This file owns Verdict: what is to be done, and what has to happen before the device is well again.

// Action is what a daemon that computes on the device does. A larger one is worse.
type Action uint8

// The actions.
const (
	Serve   Action = iota
	Unknown        // the driver does not tell; whatever was ordered last goes on
	Degrade        // admit less: the card is slower than it was planned for
	Drain          // admit nothing, let what runs end, then exit
	Restart        // exit at once: what runs can't end, or its results can't be trusted
	Replace        // drain, exit, and stay away: the card is defective
)

var actionNames = [...]string{"serve", "unknown", "degrade", "drain", "restart", "replace"}

func (a Action) String() string { return actionNames[a] }

// MarshalText implements encoding.TextMarshaler.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Actions lists all of them, from good to bad.
func Actions() []Action { return []Action{Serve, Unknown, Degrade, Drain, Restart, Replace} }

// Need is what cures the device; the daemon does the first alone. A larger one includes the smaller ones.
type Need uint8

// The needs.
const (
	Nothing    Need = iota
	NewProcess      // the process's context is lost: a new process has a new one
	Reset           // someone resets the GPU when no process uses it
	Reboot          // someone restarts the machine
	NewCard
)

var needNames = [...]string{"", "new process", "GPU reset", "machine restart", "new card"}

func (n Need) String() string { return needNames[n] }

// MarshalText implements encoding.TextMarshaler.
func (n Need) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// ByHand tells whether a person must act: a process that starts again would meet the same card.
func (n Need) ByHand() bool { return n > NewProcess }

// Verdict is the judgement of one device. Since is when its Action began.
type Verdict struct {
	Action Action    `json:"action"`
	Needs  Need      `json:"needs,omitzero"`
	Reason string    `json:"reason"` // figures that move are left out: a reason changes when the cause does
	Since  time.Time `json:"since"`
}

// finding is one thing that speaks for an action.
type finding struct {
	action Action
	needs  Need
	reason string
}

// and joins two findings: the worse action, the greater need, and the reasons of both.
func (f finding) and(g finding) finding {
	joined := finding{max(f.action, g.action), max(f.needs, g.needs), f.reason}
	if f.reason == "" || g.action > f.action {
		joined.reason, g.reason = g.reason, f.reason
	}
	if g.reason != "" && !strings.Contains(joined.reason, g.reason) {
		joined.reason += "; " + g.reason
	}
	return joined
}
