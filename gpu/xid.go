package gpu

import (
	"maps"
	"slices"
	"strconv"
)

// This file owns the table of Xid errors: NVIDIA's catalogue says what each means and whether an application, the
// GPU or the machine must be started anew.

// XidRule is what one Xid error means and asks for.
type XidRule struct {
	Code    uint64
	Meaning string
	Action  Action
	Needs   Need
}

// Restart stands for errors that end the context or after which nothing computed can be trusted; Drain for those
// that leave other work sound. NVML does not say whose process met an error: on a card shared with others theirs
// count too, since a needless restart costs seconds and serving from a lost context costs answers.
var xidRules = map[uint64]XidRule{
	8:   {Meaning: "a channel made no progress", Action: Restart, Needs: NewProcess},
	11:  {Meaning: "a corrupt command stream", Action: Restart, Needs: NewProcess},
	13:  {Meaning: "a kernel broke a rule: illegal instruction or address", Action: Restart, Needs: NewProcess},
	25:  {Meaning: "a command outside its buffer", Action: Restart, Needs: NewProcess},
	31:  {Meaning: "a page fault: an address that is not mapped", Action: Restart, Needs: NewProcess},
	32:  {Meaning: "a corrupt command stream on its way to the GPU", Action: Restart, Needs: NewProcess},
	39:  {Meaning: "copy engine 0 failed", Action: Restart, Needs: NewProcess},
	40:  {Meaning: "copy engine 1 failed", Action: Restart, Needs: NewProcess},
	41:  {Meaning: "copy engine 2 failed", Action: Restart, Needs: NewProcess},
	94:  {Meaning: "a memory error, contained to the process that met it", Action: Drain, Needs: NewProcess},
	48:  {Meaning: "a double-bit memory error; 63, 64, 94 or 95 says what became of it", Action: Drain, Needs: NewProcess},
	46:  {Meaning: "the GPU stopped processing", Action: Restart, Needs: Reset},
	62:  {Meaning: "the GPU's own controller halted", Action: Restart, Needs: Reset},
	64:  {Meaning: "a row remapping or page retirement could not be recorded", Action: Drain, Needs: Reset},
	95:  {Meaning: "a memory error that was not contained: any result may be wrong", Action: Restart, Needs: Reset},
	109: {Meaning: "a change of context timed out", Action: Restart, Needs: Reset},
	119: {Meaning: "the GPU's system processor does not answer", Action: Restart, Needs: Reset},
	120: {Meaning: "the GPU's system processor failed", Action: Restart, Needs: Reset},
	140: {Meaning: "a memory error that was not corrected: any result may be wrong", Action: Restart, Needs: Reset},
	155: {Meaning: "NVLink failed in the driver", Action: Drain, Needs: Reset},
	79:  {Meaning: "the GPU has fallen off the bus", Action: Restart, Needs: Reboot},
	37:  {Meaning: "the driver's firmware complained"},
	38:  {Meaning: "the driver's firmware failed for one client"},
	43:  {Meaning: "a process's channel was reset; the cause has a number of its own"},
	44:  {Meaning: "a fault while contexts changed"},
	45:  {Meaning: "channels were torn down, as when a process ends"},
	63:  {Meaning: "a row remapping or page retirement was recorded for the next reset"},
	74:  {Meaning: "an NVLink error; one GPU computes without NVLink"},
	92:  {Meaning: "many single-bit memory errors, all corrected"},
	154: {Meaning: "the recovery action has changed; the reading says to what"},
}

// Xid returns the rule of a code. What the table lacks is logged and obliges to nothing.
func Xid(code uint64) XidRule {
	r, known := xidRules[code]
	r.Code = code
	if !known {
		r.Meaning = "not in the table"
	}
	return r
}

// XidRules lists the table by code.
func XidRules() (list []XidRule) {
	for _, code := range slices.Sorted(maps.Keys(xidRules)) {
		list = append(list, Xid(code))
	}
	return list
}

func (r XidRule) finding() finding {
	if r.Action == Serve {
		return finding{}
	}
	return finding{r.Action, r.Needs, "Xid " + strconv.FormatUint(r.Code, 10) + ": " + r.Meaning}
}
