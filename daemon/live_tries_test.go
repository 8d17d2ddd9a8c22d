package daemon

import "testing"

// A sample that takes too long is lost in the end, and holds up no others.
func TestSamplesAreTriedThrice(t *testing.T) {
	var s sample
	for i := 1; i < mostTries; i++ {
		if !s.triesAgain() {
			t.Errorf("lost after %d tries", i)
		}
	}
	if s.triesAgain() {
		t.Errorf("it begins anew after %d tries", mostTries)
	}
}
