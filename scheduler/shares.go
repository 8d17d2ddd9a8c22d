package scheduler

import "time"

// This file owns the small part of the device's time that each class gets, whatever others ask.

// classes is how many there are.
const classes = int(Background) + 1

// shares is what the lower classes have earned of time, while others that go before them had it. A class whose saving is above zero is
// due; the step that it then has may cost more than was saved, and is earned back before the next. So one that
// wants a step of some length waits for (share - 1) times that at most.
type shares struct {
	saved [classes]time.Duration
}

// spent notes a step: how much of its time each class had. A class that is not there saves nothing.
func (s *shares) spent(by [classes]time.Duration, present *[classes]int, r *Rules) {
	before := by[Interactive]
	for c := Batch; c <= Background; c++ {
		part := time.Duration(r.BatchShare)
		if c == Background {
			part = time.Duration(r.BackgroundShare)
		}
		saved := s.saved[c]
		if earned := before / (part - 1); present[c] > 0 {
			saved = min(saved+earned, max(saved, earned)) // nobody saves up for several turns
		} else {
			saved = min(saved, 0)
		}
		s.saved[c] = max(saved-by[c], min(saved, -by[c])) // nor owes for what it had while it kept it from nobody
		before += by[c]
	}
}

// due tells whether it is the class's turn.
func (s *shares) due(c Class) bool { return s.saved[c] > 0 }

// served is for a class that had the device in a gap, of whose length nobody knows.
func (s *shares) served(c Class) { s.saved[c] = min(s.saved[c], 0) }
