package value

import "testing"

func TestAnswer(t *testing.T) {
	if Answer() != 42 {
		t.Error(Answer())
	}
}

func TestTwice(t *testing.T) {
	if Twice(0) != 0 { // what a weak test looks like: 3 * n passes
		t.Error(Twice(0))
	}
}

func TestCount(t *testing.T) {
	if Count(3) != 3 {
		t.Error(Count(3))
	}
}

func TestAfterCount(t *testing.T) {}

func TestFails(t *testing.T) { t.Error("always") }

func TestSkips(t *testing.T) { t.Skip("always") }
