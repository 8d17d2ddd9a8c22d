package daemon

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"chimera/api"
	"chimera/config"
	"chimera/scheduler"
)

// This file owns tests of pins by settings, and of what the endpoints see of a cache.

// pinless refuses all.
type pinless struct{}

func (pinless) Pin(name string, _ []int32, _ string) error {
	return &scheduler.PinError{Name: name, Reason: "too large"}
}

func TestPinsThatDoNotFit(t *testing.T) {
	ids := func(string) []int32 { return []int32{1} }
	var usage *config.Error
	if err := pinPrefixes(pinless{}, ids, []config.Pin{{Name: "a", Text: "text"}}); !errors.As(err, &usage) || fmt.Sprint(err) != `cache.pins: pin "a": too large` {
		t.Errorf("%v", err)
	}
	if err := pinPrefixes(pinless{}, ids, nil); err != nil {
		t.Error(err)
	}
}

// What a request has config.Pin comes back with its model, for whom it was config.Pin, until it is unconfig.Pin.
func TestPinsOutliveTheirLane(t *testing.T) {
	c := fakeConfig(t, "a demand", "b")
	prompt := slices.Repeat([]int32{1, 2}, 20)
	inBubble(t, func(t *testing.T) {
		d := newFakeDevice()
		all := serveFake(t, d, c)
		cached := func(name, tenant string) int {
			t.Helper()
			h := all.held(t, name)
			defer h.Release()
			synctest.Wait()
			all, err := h.Model.Engine.SubmitGroup(h.Context, []scheduler.Request{{Prompt: prompt, MaxTokens: 1, Tenant: tenant, Salt: "a key of " + tenant, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}}})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return all[0].Cached()
		}
		reload := func() {
			t.Helper()
			if err := errors.Join(all.Unload(t.Context(), "a"), all.Load(t.Context(), "a")); err != nil {
				t.Error(err)
			}
		}
		h := all.held(t, "a")
		cache := h.Model.Cache
		for _, name := range []string{"x", "y", "x"} {
			if err := cache.Pin(name, prompt, "somebody"); err != nil {
				t.Fatal(err)
			}
		}
		if err := cache.Pin("x", prompt[1:], "somebody"); err == nil {
			t.Error("another prompt is config.Pin by the name")
		}
		if cache.Unpin("y") != nil || cache.Unpin("y") != api.ErrNoPin {
			t.Error("y is config.Pin still, or was never")
		}
		h.Release()
		for range 2 {
			if reload(); cached("a", "somebody") != 32 || cached("a", "another") != 0 {
				t.Errorf("it is not there, or not somebody's alone")
			}
		}
		if cached("b", "somebody") != 0 {
			t.Error("another model has it")
		}
		h = all.held(t, "a")
		if pins := h.Model.Cache.State().Pins; len(pins) != 1 || pins[0].Name != "x" || h.Model.Cache.Unpin("x") != nil {
			t.Errorf("%+v", pins)
		}
		h.Release()
		if reload(); cached("a", "somebody") != 0 {
			t.Error("it comes back though it was unconfig.Pin")
		}
	})
}

// A pin that the file's next version can't have is forgotten, and the model is there all the same.
func TestPinsThatCannotComeBack(t *testing.T) {
	c := fakeConfig(t, "a demand")
	inBubble(t, func(t *testing.T) {
		all := serveFake(t, newFakeDevice(), c)
		all.list[0].kept.list = []keptPin{{"large", slices.Repeat([]int32{9}, 32), ""}, {"good", slices.Repeat([]int32{1}, 32), ""}}
		h := all.held(t, "a")
		defer h.Release()
		if pins := h.Model.Cache.State().Pins; len(pins) != 1 || pins[0].Name != "good" || len(all.list[0].kept.list) != 1 {
			t.Errorf("%+v", pins)
		}
	})
}
