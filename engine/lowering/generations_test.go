package lowering

import (
	"errors"
	"strings"
	"testing"

	"chimera/engine"
)

func TestGenerations(t *testing.T) {
	var s Generations[string]
	if g, id := s.Newest(); g != nil || id != 0 {
		t.Errorf("before there is one: %v %d", g, id)
	}
	first, second := "first", "second"
	if a, b := s.Add(&first), s.Add(&second); a != 1 || b != 2 {
		t.Fatalf("generations %d and %d", a, b)
	}
	if g, id := s.Newest(); g != &second || id != 2 {
		t.Errorf("newest: %v %d", g, id)
	}
	if g, err := s.Find(1); g != &first || err != nil {
		t.Errorf("1: %v %v", g, err)
	}
	refused := func(what string, err error, says string) {
		t.Helper()
		b := (*engine.BatchError)(nil)
		if !errors.As(err, &b) || b.Field != "generation" || !strings.Contains(b.Reason, says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := s.Find(3)
	refused("one that is to come", err, "3 is not there, the newest is 2")
	_, err = s.Retire(2)
	refused("the newest", err, "2 is the newest")
	if g, err := s.Retire(1); g != &first || err != nil {
		t.Errorf("retired: %v %v", g, err)
	}
	_, err = s.Retire(1)
	refused("a second time", err, "1 is not there")
	if all := s.All(); len(all) != 1 || all[0] != &second {
		t.Errorf("%v", all)
	}
	if third := s.Add(&first); third != 3 {
		t.Errorf("a number is given again: %d", third)
	}
}
