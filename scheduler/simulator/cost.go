package simulator

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-json-experiment/json"

	"chimera/scheduler"
)

// This file owns reading what steps cost.

// costFile is what ReadCost takes: the coefficients alone, or all that GET /v1/status says.
type costFile struct {
	scheduler.CostState `json:",inline"`
	Models              []struct {
		Name string               `json:"name"`
		Cost *scheduler.CostState `json:"cost"`
	} `json:"models"`
}

// ReadCost reads coefficients from a file: those of the first model that has some.
func ReadCost(path string) (scheduler.CostState, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return scheduler.CostState{}, err
	}
	var f costFile
	if err := json.Unmarshal(text, &f); err != nil {
		return f.CostState, fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "json: "))
	}
	cost := f.CostState
	for _, m := range f.Models {
		if m.Cost != nil && cost == (scheduler.CostState{}) {
			cost = *m.Cost
		}
	}
	if err := checkCost(cost); err != nil {
		return cost, fmt.Errorf("%s: %w", path, err)
	}
	return cost, nil
}

// mostMS bounds a coefficient: a step of a year is none.
const mostMS = 3e10

func checkCost(c scheduler.CostState) error {
	if c == (scheduler.CostState{}) {
		return errors.New("it has no coefficients (constant_ms, decode_row_ms ...): give what a model's cost in GET /v1/status is")
	}
	sum := 0.0
	for _, field := range []struct {
		name  string
		value float64
	}{
		{"constant_ms", c.ConstantMS}, {"decode_row_ms", c.DecodeRowMS}, {"prefill_row_ms", c.PrefillRowMS}, {"output_ms", c.OutputMS},
		{"attention_ms_per_million_kv_tokens", c.AttentionMSMToken},
	} {
		if !(field.value >= 0 && field.value <= mostMS) {
			return fmt.Errorf("%s: %g is no time of a step", field.name, field.value)
		}
		sum += field.value
	}
	if sum == 0 {
		return errors.New("all coefficients are 0: steps that take no time end no simulation")
	}
	return nil
}
