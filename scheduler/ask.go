package scheduler

import "time"

// This file owns what is known of a request before its prompt is read.

// Ask is what a request will want of the device, as far as that is known before it is tokenised. All figures are lower bounds.
type Ask struct {
	PromptBytes  int // of prompts that are text, together
	PromptTokens int // of prompts that come as token ids, together
	Prompts      int // 0 counts as 1
	Answers      int // sequences
	Class        Class
	Tenant       string
	Deadline     time.Time // see Request
}
