//go:build cuda

package cuda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// This file owns what the GPU check asks NVML, by the packed daemon: clocks, power and temperature before the work, under it and
// after it, without which figures say little.

// observation is an answer of `chimera-cuda gpu --local --json`.
type observation struct {
	When   string          `json:"when"` // "before", "under load", "after"
	Answer json.RawMessage `json:"answer"`
}

// nvmlAnswer is what the check reads of it.
type nvmlAnswer struct {
	Devices []struct {
		Name    string
		Reading struct {
			SM          *uint32  `json:"sm_clock_mhz"`
			Memory      *uint32  `json:"memory_clock_mhz"`
			Power       *float64 `json:"power_watts"`
			Limit       *float64 `json:"power_limit_watts"`
			Temperature *uint32  `json:"temperature_celsius"`
			Throttle    []string `json:"throttle"`
			Failed      []string `json:"failed"`
		}
	}
}

// String is the first GPU's state in a line.
func (o observation) String() string {
	var a nvmlAnswer
	if err := json.Unmarshal(o.Answer, &a); err != nil || len(a.Devices) == 0 {
		return o.When + ": NVML lists no device"
	}
	r := a.Devices[0].Reading
	text := fmt.Sprintf("%s: clocks %s (multiprocessors) and %s MHz (memory), %s of %s W, %s C", o.When, shown(r.SM), shown(r.Memory), shown(r.Power), shown(r.Limit), shown(r.Temperature))
	if len(r.Throttle) > 0 {
		text += ", held down by " + strings.Join(r.Throttle, ", ")
	}
	if len(r.Failed) > 0 {
		text += "; not told: " + strings.Join(r.Failed, ", ")
	}
	return text
}

func shown[T uint32 | float64](v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f", float64(*v))
}

// observe asks NVML now; what it answers is a check of its own.
func (r *report) observe(when string) {
	if r.small {
		return // the emulated driver has no NVML
	}
	v := verdict{Group: "health", Name: "NVML's readings " + when + ": chimera-cuda gpu --local --json"}
	answer, err := askNVML()
	if err == nil {
		var a nvmlAnswer
		if err = json.Unmarshal(answer, &a); err == nil && len(a.Devices) == 0 {
			err = errors.New("it lists no device")
		}
		if err == nil {
			v.equal("the first device's name", r.Device.Name, a.Devices[0].Name)
			r.NVML = append(r.NVML, observation{when, answer})
			fmt.Println(r.NVML[len(r.NVML)-1])
		}
	}
	if err != nil {
		v.Error = err.Error()
	}
	r.Verdicts = append(r.Verdicts, v)
}

func askNVML() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, filepath.Join(filepath.Dir(self), "chimera-cuda"), "gpu", "--local", "--json").Output()
}

func TestObservation(t *testing.T) {
	for answer, want := range map[string]string{
		`{"devices":[{"name":"X","reading":{"sm_clock_mhz":1980,"memory_clock_mhz":2619,"power_watts":119.6,"power_limit_watts":700,"temperature_celsius":35,"throttle":[]}}]}`: "before: clocks 1980 (multiprocessors) and 2619 MHz (memory), 120 of 700 W, 35 C",
		`{"devices":[{"name":"X","reading":{"throttle":["sw_power_cap"],"failed":["nvmlDeviceGetTemperature: Unknown Error"]}}]}`:                                               "before: clocks - (multiprocessors) and - MHz (memory), - of - W, - C, held down by sw_power_cap; not told: nvmlDeviceGetTemperature: Unknown Error",
		`{"devices":[]}`: "before: NVML lists no device",
	} {
		if got := (observation{"before", json.RawMessage(answer)}).String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
