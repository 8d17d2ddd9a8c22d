package daemon

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"chimera/api"
	"chimera/scheduler"
)

// This file owns tests of pins by settings, and of what the endpoints see of a cache.

// Where users are kept apart nobody would find a pin: the start says so, before anything is loaded.
func TestMayPin(t *testing.T) {
	list := []pinned{{"a", "text"}}
	for _, c := range []struct {
		pins  []pinned
		apart bool
		bad   bool
	}{{list, true, true}, {list, false, false}, {nil, true, false}} {
		err := (&server{pins: c.pins, config: Config{IsolateTenants: new(c.apart)}}).mayPin()
		var usage *ConfigError
		if bad := errors.As(err, &usage) && strings.Contains(err.Error(), "isolate_tenants = false"); bad != c.bad {
			t.Errorf("%v, apart %t: %v", c.pins, c.apart, err)
		}
	}
}

// pinless refuses all.
type pinless struct{}

func (pinless) State() api.CacheState { return api.CacheState{} }
func (pinless) Pin(name string, _ []int32) error {
	return &scheduler.PinError{Name: name, Reason: "too large"}
}
func (pinless) Unpin(string) error { return nil }

func TestPinsThatDoNotFit(t *testing.T) {
	ids := func(string) []int32 { return []int32{1} }
	var usage *ConfigError
	if err := pinPrefixes(pinless{}, ids, []pinned{{"a", "text"}}); !errors.As(err, &usage) || fmt.Sprint(err) != `cache.pins: pin "a": too large` {
		t.Errorf("%v", err)
	}
	if err := pinPrefixes(pinless{}, ids, nil); err != nil {
		t.Error(err)
	}
}
