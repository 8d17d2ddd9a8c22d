package daemon

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/loader"
	"chimera/scheduler"
)

// This file owns tests of controls: who shares one, that it is the source, and what makes it go.

// controlled is a daemon of the translation model at a low tier.
func controlled(t *testing.T, change func(*config.Config)) (*remembering, *Runtime) {
	r := guarded(t, 100, func(c *config.Config) {
		c.Tiers.Start = "q2_k"
		change(c)
	})
	return r, r.models.find("mt")
}

// beside is what tiers beside the one that serves take.
func (r *remembering) beside() int64 {
	r.models.mu.Lock()
	defer r.models.mu.Unlock()
	return r.models.shadows
}

// gone fails the test where a control is still there after a while.
func (r *remembering) gone() {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); r.beside() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%d bytes of a control are left", r.beside())
		}
	}
}

// Whoever wants a model's control shares one, which answers as the file does and not as the tier. A model at its source is its own.
func TestControlIsTheSource(t *testing.T) {
	r, model := controlled(t, func(*config.Config) {})
	ask := func(m *api.Model) api.Asked {
		a, err := m.Ask(t.Context(), []api.Turn{{Role: "user", Content: "The selected file could not be opened"}}, 64)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	var group sync.WaitGroup
	var held [4]api.Held
	for i := range held {
		group.Go(func() {
			var err error
			if held[i], err = r.models.control(t.Context(), model, r.models.borrow); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	one := r.beside()
	for _, h := range held {
		if h.Model == nil || h.Model.Engine != held[0].Model.Engine {
			t.Fatal("two controls of one model")
		}
	}
	m := held[0].Model
	answer, numerics, serving := ask(m), m.Numerics(""), ask(model.up.model)
	for _, h := range held {
		h.Release()
		if h.Context.Err() == nil {
			t.Error("a control that was released is used")
		}
	}
	if one == 0 || r.beside() != one {
		t.Errorf("%d bytes while it was used, %d after: it stays for who comes next", one, r.beside())
	}
	r.set("source")
	own, err := r.models.control(t.Context(), model, r.models.borrow)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Release()
	if whole := ask(own.Model); whole.Text != answer.Text || own.Model.Numerics("") != numerics || own.Model.Ended != nil {
		t.Errorf("the control said %q as %s, the source %q as %s", answer.Text, numerics, whole.Text, own.Model.Numerics(""))
	}
	if serving.Weights == answer.Weights {
		t.Error("the control has the weights of the tier that served")
	}
}

// A control goes with its model, and its users are told.
func TestControlEndsWithItsModel(t *testing.T) {
	r, model := controlled(t, func(*config.Config) {})
	held, err := r.models.control(t.Context(), model, r.models.borrow)
	if err != nil {
		t.Fatal(err)
	}
	context.AfterFunc(held.Context, held.Release)
	r.must("POST", "/v1/models/mt/unload", administrator, nil, nil)
	r.gone()
	if cause := (*api.HTTPError)(nil); !errors.As(context.Cause(held.Context), &cause) || cause.Message != api.Unloaded("mt").Message {
		t.Errorf("its user was told %v", context.Cause(held.Context))
	}
	if _, err := r.models.control(t.Context(), model, r.models.borrow); !errors.Is(err, errUnloaded) {
		t.Errorf("of a model that has gone: %v", err)
	}
}

// Where memory is short a control makes room for weights that are to serve, and where there is none for it the model serves without.
func TestControlMakesRoom(t *testing.T) {
	alone, _ := controlled(t, func(*config.Config) {})
	served := alone.models.state("mt").Memory
	r, model := controlled(t, func(c *config.Config) { c.Memory = int(served>>20) + 30 })
	held, err := r.models.control(t.Context(), model, r.models.as(scheduler.Interactive))
	if err != nil {
		t.Fatal(err)
	}
	context.AfterFunc(held.Context, held.Release)
	before := r.beside()
	if status, text := r.set("f16"); status != 200 {
		t.Fatalf("beside a control of %d bytes: %d %s", before, status, text)
	}
	r.gone()
	if !errors.Is(context.Cause(held.Context), errControlGoes) {
		t.Errorf("its user was told %v", context.Cause(held.Context))
	}
	r, model = controlled(t, func(c *config.Config) { c.Memory = int(served>>20) + 4 })
	full := (*loader.NoRoomError)(nil)
	if _, err := r.models.control(t.Context(), model, r.models.borrow); !errors.As(err, &full) {
		t.Errorf("without room: %v", err)
	}
	r.gone()
	if _, _, _, err := r.said(0); err != nil {
		t.Errorf("the model itself: %v", err)
	}
}
