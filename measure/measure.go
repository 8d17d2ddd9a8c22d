// Package measure owns what is measured of serving, minute by minute: windows of latency and load, the objectives that they are held against,
// and what each tenant's requests have cost. It computes rows of the history from what it is told, and does no I/O.
//
// This file owns Answer, the end of a request, and Key, what rows are kept apart by.
package measure

import "time"

// Key is what windows and costs are kept apart by. A request that came before its model was known has none of the three.
type Key struct {
	Model  string
	Tenant string // its name in the settings; "" for all clients that are no tenant's
	Class  string // of scheduling
}

// End is how a request ended.
type End uint8

// The ends.
const (
	Completed End = iota // it has all of its answer
	Cancelled            // its client went
	Refused              // it was not taken, or sent away from the queue
	Failed               // the server could not go on
)

// Answer is a request that has ended.
type Answer struct {
	Key
	Ended        time.Time
	End          End
	PromptTokens int64
	AnswerTokens int64
	Placed       bool            // it left the queue, after
	Queue        time.Duration   // so long
	TTFT         time.Duration   // from the request's last byte to its first token; 0: it had none
	ITL          []time.Duration // between tokens of an answer
}
