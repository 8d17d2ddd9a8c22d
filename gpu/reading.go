package gpu

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// This file owns Reading: what one look at a device finds, in words and units that people use.

// Reading is one look at a device. A nil field is one that the device, its mode (MIG) or the driver does not have:
// that is not zero, and is left out of JSON and metrics.
type Reading struct {
	MemoryUsed  *uint64 `json:"memory_used_bytes,omitzero"` // what the driver keeps for itself included
	MemoryTotal *uint64 `json:"memory_total_bytes,omitzero"`

	Utilisation       *uint32 `json:"utilisation_percent,omitzero"` // time with a kernel running
	MemoryUtilisation *uint32 `json:"memory_utilisation_percent,omitzero"`

	Power       *float64 `json:"power_watts,omitzero"`
	PowerLimit  *float64 `json:"power_limit_watts,omitzero"`
	Energy      *float64 `json:"energy_joules,omitzero"` // of the whole card since the driver was loaded; Volta and later
	SMClock     *uint32  `json:"sm_clock_mhz,omitzero"`
	MemoryClock *uint32  `json:"memory_clock_mhz,omitzero"`
	Throttle    []Reason `json:"throttle,omitzero"` // nil: not supported; empty: none
	Slowed      SlowTime `json:"slowed,omitzero"`   // since the driver was loaded

	Temperature *uint32 `json:"temperature_celsius,omitzero"`
	SlowdownAt  *uint32 `json:"slowdown_celsius,omitzero"`
	ShutdownAt  *uint32 `json:"shutdown_celsius,omitzero"`
	// Cards since Ada count down: Margin is how many degrees are left (T.Limit), and the thresholds are margins too, below 0.
	Margin         *int32 `json:"margin_celsius,omitzero"`
	SlowdownMargin *int32 `json:"slowdown_margin_celsius,omitzero"`
	ShutdownMargin *int32 `json:"shutdown_margin_celsius,omitzero"`

	ECCCorrected   *uint64       `json:"ecc_corrected,omitzero"` // since the driver was loaded
	ECCUncorrected *uint64       `json:"ecc_uncorrected,omitzero"`
	Retired        *RetiredPages `json:"retired_pages,omitzero"` // before Ampere
	Remapped       *RemappedRows `json:"remapped_rows,omitzero"` // Ampere and later; not under MIG

	PCIeReplays *uint64       `json:"pcie_replays,omitzero"`
	NVLink      *NVLinkErrors `json:"nvlink_errors,omitzero"`
	Recovery    *Recovery     `json:"recovery_action,omitzero"`
	MIG         *bool         `json:"mig,omitzero"`

	Failed []string `json:"failed,omitzero"` // what the driver could not tell, though it should, and how it said so
}

// SlowTime is how long the clocks were held down for a reason; one that is not counted is absent.
type SlowTime map[Reason]time.Duration

// MarshalJSON writes seconds.
func (s SlowTime) MarshalJSON() ([]byte, error) {
	seconds := map[string]float64{}
	for reason, d := range s {
		seconds[string(reason)] = d.Seconds()
	}
	return json.Marshal(seconds, json.Deterministic(true))
}

// RetiredPages are pages taken out of use for good, by why; Pending waits for a reset.
type RetiredPages struct {
	SingleBit uint64 `json:"single_bit"`
	DoubleBit uint64 `json:"double_bit"`
	Pending   bool   `json:"pending"`
}

// RemappedRows are rows replaced by spare ones, by why. Pending: more will be at the next reset. Failed: a row found
// no spare one, ever.
type RemappedRows struct {
	Corrected   uint64 `json:"corrected"`
	Uncorrected uint64 `json:"uncorrected"`
	Pending     bool   `json:"pending"`
	Failed      bool   `json:"failed"`
}

// NVLinkErrors are counted over all links.
type NVLinkErrors struct {
	CRCFlit  uint64 `json:"crc_flit"`
	CRCData  uint64 `json:"crc_data"`
	Replay   uint64 `json:"replay"`
	Recovery uint64 `json:"recovery"`
}

// Reason is why clocks are lower than they could be.
type Reason string

// The reasons, in the order of their bits in NVML's clocks event mask.
const (
	Idle             Reason = "gpu_idle"
	ApplicationClock Reason = "application_clocks"
	SWPowerCap       Reason = "sw_power_cap" // the power limit: how a busy card normally runs
	HWSlowdown       Reason = "hw_slowdown"  // heat, power brake or too fast a rise of power; also a change of clocks
	SyncBoost        Reason = "sync_boost"
	SWThermal        Reason = "sw_thermal_slowdown"
	HWThermal        Reason = "hw_thermal_slowdown" // halves the clock or worse
	HWPowerBrake     Reason = "hw_power_brake"      // the machine's power supply asked for it; halves the clock or worse
	DisplayClock     Reason = "display_clocks"
	BoardLimit       Reason = "board_limit"
	Reliability      Reason = "reliability"
)

var reasonBits = []Reason{Idle, ApplicationClock, SWPowerCap, HWSlowdown, SyncBoost, SWThermal, HWThermal, HWPowerBrake, DisplayClock, BoardLimit, Reliability}

// Reasons decodes NVML's clocks event mask. A bit that is newer than this list gets its number.
func Reasons(mask uint64) []Reason {
	list := []Reason{}
	for bit := range 64 {
		switch {
		case mask>>bit&1 == 0:
		case bit < len(reasonBits):
			list = append(list, reasonBits[bit])
		default:
			list = append(list, Reason("bit_"+strconv.Itoa(bit)))
		}
	}
	return list
}

// Recovery is what the driver wants done before the device is as good as new.
type Recovery uint32

// The values of NVML's recovery action, field 230.
const (
	RecoverNothing Recovery = iota
	RecoverReset
	RecoverReboot
	RecoverDrainP2P
	RecoverDrainReset
	RecoverIMEX
	RecoverBusReset
	RecoverSystemReboot
)

var recoveryNames = []string{"none", "reset", "reboot", "drain_p2p", "drain_and_reset", "recover_imex_domain", "bus_reset", "system_reboot"}

func (r Recovery) String() string {
	if int(r) < len(recoveryNames) {
		return recoveryNames[r]
	}
	return "action_" + strconv.Itoa(int(r))
}

// MarshalText implements encoding.TextMarshaler.
func (r Recovery) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
