package store

import "fmt"

// This file owns which texts of users reach the disk. What is not kept is taken off a row before it is queued, so that no
// queue, log or page ever has it.

// Privacy says which texts are kept from now on. Those that were kept before stay until their time is over or they are forgotten: a word that
// is wrong in the settings should delete nothing.
type Privacy string

const (
	// None keeps no text of users. It is what an empty Privacy means: whoever says nothing has agreed to nothing.
	None Privacy = "none"
	// Samples keeps prompts and answers that were drawn for the control group, which compares them, and corrections, which people send
	// in order that they are kept.
	Samples Privacy = "samples"
	// All keeps all.
	All Privacy = "all"
)

// ParsePrivacy reads a setting.
func ParsePrivacy(text string) (Privacy, error) {
	switch p := Privacy(text); p {
	case None, Samples, All:
		return p, nil
	}
	return None, fmt.Errorf("%.40q is none of %s, %s and %s", text, None, Samples, All)
}

// keepsTexts tells whether a prompt and its answer are kept.
func (p Privacy) keepsTexts(sampled bool) bool { return p == All || p == Samples && sampled }

func (p Privacy) keepsCorrections() bool { return p == All || p == Samples }
