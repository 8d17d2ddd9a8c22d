// Package measure owns what is measured of serving, minute by minute: windows of latency and load, the objectives that they are held against,
// what each tenant's requests have cost, and how much more could be served. It computes rows of the history from what it is told, and does no I/O.
//
// This file owns Answer, the end of a request, and Key and Line, what rows are kept apart by.
package measure

import "time"

// Key is what windows are kept apart by.
type Key struct {
	Model  string // "" for requests that were refused before it was known which model they name, and for those that name none that is served
	Tenant string // its name in the settings; "" for all clients that are no tenant's
	Class  string // of scheduling
}

// Line is what costs are kept apart by.
type Line struct {
	Key
	Tier string // that computed; "" of what nothing was computed
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
	Line
	Ended        time.Time
	End          End
	PromptTokens int64
	AnswerTokens int64
	Placed       bool            // it left the queue, after
	Queue        time.Duration   // so long
	TTFT         time.Duration   // from the request's last byte to its first token; 0: it had none
	ITL          []time.Duration // between tokens of an answer
}
