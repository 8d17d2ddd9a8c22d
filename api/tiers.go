package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// This file owns /v1/tiers: at which quantisation tier each model is served, why, and how the administrator changes that.

// Tiers knows the models' tiers and changes them.
type Tiers interface {
	// Tiers tells of each model, in the order of Registry.Names.
	Tiers() []ModelTiers
	// SetTier has a model served at a tier, from the next request on, and returns when it is, or why it is not. The tier stays for as long as
	// is asked for; 0: until another is. AutoTier gives the choice back to the settings. The error of a name that is not configured is ErrNoModel.
	SetTier(ctx context.Context, model, tier string, stays time.Duration) error
	// RemoveTiers removes what is kept on disk of a model's tier, or of all tiers of all models for a tier of "", and tells how many files that were and their bytes.
	RemoveTiers(ctx context.Context, model, tier string) (files int, bytes int64, err error)
}

// SourceTier is a model as its file has it.
const SourceTier = "source"

// AutoTier is the tier that the settings ask for.
const AutoTier = "auto"

// ModelTiers is a model's entry in the answer of GET /v1/tiers.
type ModelTiers struct {
	Model      string      `json:"model"`
	Tier       string      `json:"tier"`       // requests that begin now are served at; of a model that is not loaded, that it will be
	Generation uint64      `json:"generation"` // of weights, counted from 1 by each load; 0: nothing is loaded
	Mode       string      `json:"mode"`       // tiers.mode, or manual where the administrator has chosen
	Until      *time.Time  `json:"until,omitempty"`
	Swapping   string      `json:"swapping_to,omitempty"` // a tier that is being made
	Ladder     []TierState `json:"ladder"`
	Events     []TierEvent `json:"events"` // the oldest first
}

// TierState is what is known of a tier of a model.
type TierState struct {
	Tier   string               `json:"tier"`
	Bytes  int64                `json:"bytes,omitzero"`      // of its weights as they are served; none before the model was loaded
	Kept   int64                `json:"kept_bytes,omitzero"` // of what is kept of it on disk
	Scores map[string]TierScore `json:"scores"`              // by metric
	State  string               `json:"state"`               // unmeasured, holds, unsure or fails
}

// TierScore is a metric of a tier on the tuning half of a suite.
type TierScore struct {
	Value   float64 `json:"value"`
	Control float64 `json:"control"`
	Low     float64 `json:"low"` // of the paired difference's 95 % interval
	High    float64 `json:"high"`
	N       int     `json:"n"`
}

// TierEvent is a step from tier to tier.
type TierEvent struct {
	Time     time.Time      `json:"time"`
	From     string         `json:"from"`
	To       string         `json:"to"`
	Reason   string         `json:"reason"`
	Evidence jsontext.Value `json:"evidence"` // null: it was asked for
	State    string         `json:"state"`    // begun, applied or reverted
	Problem  string         `json:"problem,omitempty"`
}

// Swapping refuses a tier of a model that is on its way to another.
func Swapping(model, to string) *HTTPError {
	return &HTTPError{
		Status: http.StatusConflict, Type: "invalid_request_error", Param: "model", Code: "tier_in_change",
		Message: fmt.Sprintf("model: %s is on its way to the tier %s: ask again when it is there", model, to),
	}
}

// NoRoomForTier refuses a tier that does not fit.
func NoRoomForTier(model, tier string, cause error) *HTTPError {
	return &HTTPError{
		Status: http.StatusServiceUnavailable, Type: "server_error", Code: "no_room", Cause: cause,
		Message: fmt.Sprintf("there is no room for the tier %s of %s, nor would there be without the one that serves: %v. The model stays as it is", tier, model, cause),
	}
}

// TierPutOff refuses a tier that does not fit beside the one that serves, whose requests have not ended for so long.
func TierPutOff(model, tier string, waited time.Duration) *HTTPError {
	return &HTTPError{
		Status: http.StatusServiceUnavailable, Type: "server_error", Code: "tier_put_off",
		Message: fmt.Sprintf("the tier %s of %s does not fit beside the one that serves, whose requests have not ended within %v: the model stays as it is, ask again when it is used less", tier, model, waited),
	}
}

// NoRoomToReplay refuses to compute an answer again at a tier that is not there.
func NoRoomToReplay(model, tier string, cause error) *HTTPError {
	return &HTTPError{
		Status: http.StatusServiceUnavailable, Type: "server_error", Code: "no_room", Cause: cause,
		Message: fmt.Sprintf("the answer was computed at the tier %s of %s, for which there is no room beside the one that serves: %v", tier, model, cause),
	}
}

// NoTier refuses a tier that there is not.
func NoTier(tier, known string) *HTTPError {
	return badField("tier", "there is no tier %q: choose %s, or %s", clip(validUTF8(tier), maxParam), known, AutoTier)
}

// TierFailed is a tier that could not be made. The one before serves on.
func TierFailed(model, tier string, cause error) *HTTPError {
	return &HTTPError{
		Status: http.StatusInternalServerError, Type: "server_error", Code: "tier_failed", Cause: cause,
		Message: fmt.Sprintf("the tier %s of %s could not be made, the one before serves on: %v", tier, model, cause),
	}
}

// tiersAnswer is that of GET /v1/tiers.
type tiersAnswer struct {
	Models []ModelTiers `json:"models"`
}

func (s *Server) tiers(c *call) error {
	a := tiersAnswer{noNull(s.Tiers.Tiers())}
	for i := range a.Models {
		a.Models[i].fill()
	}
	return c.reply(a)
}

// fill gives lists that are empty their form.
func (m *ModelTiers) fill() {
	m.Ladder, m.Events = noNull(m.Ladder), noNull(m.Events)
	for i := range m.Ladder {
		if m.Ladder[i].Scores == nil {
			m.Ladder[i].Scores = map[string]TierScore{}
		}
	}
	for i := range m.Events {
		if len(m.Events[i].Evidence) == 0 {
			m.Events[i].Evidence = jsontext.Value("null")
		}
	}
}

// tierRequest is the body of POST /v1/tiers.
type tierRequest struct {
	Model *string `json:"model"` // without it the first
	Tier  *string `json:"tier"`
	For   *string `json:"for"` // such as 2h

	Others map[string]jsontext.Value `json:",embed"`
}

// longestFor bounds how long a tier is chosen for: what is meant for longer is meant for ever.
const longestFor = 30 * 24 * time.Hour

// stays is how long the tier is to stay; 0: for ever.
func (r *tierRequest) stays() (time.Duration, error) {
	if r.For == nil {
		return 0, nil
	}
	d, err := time.ParseDuration(*r.For)
	switch {
	case err != nil || d < time.Second || d > longestFor:
		return 0, badField("for", "%q, it must be a time from 1s to 720h, such as 90m or 2h", clip(validUTF8(*r.For), maxParam))
	case or(r.Tier, "") == AutoTier:
		return 0, badField("for", "the tier %s stays until another is chosen: leave out for", AutoTier)
	}
	return d, nil
}

func (s *Server) setTier(c *call) error {
	if err := c.checkAdministers(); err != nil {
		return err
	}
	var r tierRequest
	if err := c.decodeAlone(&r); err != nil {
		return err
	}
	for name := range r.Others {
		return badField(name, "there is no such field: give model, tier and, if it is for a time, for")
	}
	if r.Tier == nil {
		return badField("tier", "it is missing: name a tier, or %s", AutoTier)
	}
	stays, err := r.stays()
	if err != nil {
		return err
	}
	name := or(r.Model, "")
	if _, known := s.Registry.Lookup(name); !known {
		return s.noModel(name)
	}
	if err := s.Tiers.SetTier(c.context(), name, *r.Tier, stays); err != nil {
		return c.toHTTP(err)
	}
	for at, m := range s.Tiers.Tiers() {
		if m.Model == name || name == "" && at == 0 {
			m.fill()
			return c.reply(m)
		}
	}
	return nil
}

// tierRemoval is the body of DELETE /v1/tiers.
type tierRemoval struct {
	Model *string `json:"model"` // without it the first
	Tier  *string `json:"tier"`
	All   bool    `json:"all"` // tiers of all models, instead

	Others map[string]jsontext.Value `json:",embed"`
}

func (s *Server) removeTiers(c *call) error {
	if err := c.checkAdministers(); err != nil {
		return err
	}
	var r tierRemoval
	if err := c.decodeAlone(&r); err != nil {
		return err
	}
	for name := range r.Others {
		return badField(name, "there is no such field: give tier and, if it is not the first, model; or all")
	}
	switch name := or(r.Tier, ""); {
	case r.All && (r.Tier != nil || r.Model != nil):
		return badField("all", "it means all tiers of all models: leave out model and tier")
	case !r.All && name == "":
		return badField("tier", "it is missing: name a tier, or give all")
	}
	name := or(r.Model, "")
	if _, known := s.Registry.Lookup(name); !known {
		return s.noModel(name)
	}
	files, bytes, err := s.Tiers.RemoveTiers(c.context(), name, or(r.Tier, ""))
	if err != nil {
		return c.toHTTP(err)
	}
	return c.reply(struct {
		Files int   `json:"files"`
		Bytes int64 `json:"bytes"`
	}{files, bytes})
}
