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
	Look    bool // it ends nothing by itself, and a person should find out what is behind it
}

// Restart stands for errors that end the context or after which nothing computed can be trusted; Drain for those
// that leave other work sound. NVML does not say whose process met an error: on a card shared with others theirs
// count too, since a needless restart costs seconds and serving from a lost context costs answers.
//
// Video, JPEG and optical-flow engines are left out, since nothing here uses them, and so are the NVLinks of
// Blackwell (144 to 150), whose events say only in the log what they ask for: one GPU computes without NVLink, and
// where it must be reset the recovery action says so.
var xidRules = map[uint64]XidRule{
	8:   {Meaning: "a channel made no progress", Action: Restart, Needs: NewProcess},
	11:  {Meaning: "a corrupt command stream", Action: Restart, Needs: NewProcess},
	13:  {Meaning: "a kernel broke a rule: illegal instruction or address", Action: Restart, Needs: NewProcess},
	25:  {Meaning: "a command outside its buffer", Action: Restart, Needs: NewProcess},
	31:  {Meaning: "a page fault: an address that is not mapped", Action: Restart, Needs: NewProcess},
	32:  {Meaning: "a corrupt command stream on its way to the GPU", Action: Restart, Needs: NewProcess},
	69:  {Meaning: "a command that the compute engine does not have", Action: Restart, Needs: NewProcess},
	80:  {Meaning: "commands arrived corrupted: their checksum is wrong", Action: Restart, Needs: NewProcess},
	94:  {Meaning: "a memory error, contained to the process that met it", Action: Drain, Needs: NewProcess},
	48:  {Meaning: "a double-bit memory error; 63, 64, 94 or 95 says what became of it", Action: Drain, Needs: NewProcess},
	46:  {Meaning: "the GPU stopped processing", Action: Restart, Needs: Reset},
	62:  {Meaning: "the GPU's own controller halted", Action: Restart, Needs: Reset},
	64:  {Meaning: "a row remapping or page retirement could not be recorded", Action: Drain, Needs: Reset},
	95:  {Meaning: "a memory error that was not contained: any result may be wrong", Action: Restart, Needs: Reset},
	109: {Meaning: "a change of context timed out", Action: Restart, Needs: Reset},
	110: {Meaning: "a security fault; rare unless hardware fails", Action: Restart, Needs: Reset},
	119: {Meaning: "the GPU's system processor does not answer", Action: Restart, Needs: Reset},
	120: {Meaning: "the GPU's system processor failed", Action: Restart, Needs: Reset},
	136: {Meaning: "an NVLink could not be trained", Action: Drain, Needs: Reset},
	140: {Meaning: "a memory error that was not corrected: any result may be wrong", Action: Restart, Needs: Reset},
	143: {Meaning: "the GPU could not be initialised", Action: Restart, Needs: Reset},
	156: {Meaning: "a part of the GPU is retired: the next reset leaves it out", Action: Drain, Needs: Reset},
	158: {Meaning: "the GPU did not answer in time, for good", Action: Restart, Needs: Reset},
	79:  {Meaning: "the GPU has fallen off the bus", Action: Restart, Needs: Reboot},
	151: {Meaning: "the keys of confidential computing could not be changed", Action: Restart, Needs: Reboot},
	37:  {Meaning: "the driver's firmware complained"},
	38:  {Meaning: "the driver's firmware failed for one client"},
	43:  {Meaning: "a process's channel was reset; the cause has a number of its own"},
	44:  {Meaning: "a fault while contexts changed"},
	45:  {Meaning: "channels were torn down, as when a process ends"},
	54:  {Meaning: "the board's auxiliary power is not connected", Look: true},
	63:  {Meaning: "a row remapping or page retirement was recorded for the next reset"},
	74:  {Meaning: "an NVLink error; one GPU computes without NVLink"},
	92:  {Meaning: "many single-bit memory errors, all corrected"},
	137: {Meaning: "a forbidden access over NVLink; one GPU computes without NVLink"},
	154: {Meaning: "the recovery action has changed; the reading says to what"},
	155: {Meaning: "an NVLink was taken down on purpose (Blackwell, not Hopper); one GPU computes without NVLink"},
	157: {Meaning: "a part of the GPU that fails could not be retired: the same may come again", Look: true},
	167: {Meaning: "a PCIe access timed out, for good", Look: true},
	168: {Meaning: "the driver's own memory has errors: the GPU has less of it than it should", Look: true},
	169: {Meaning: "the GPU's security processor halted", Look: true},
	171: {Meaning: "more about a 48: the error is in the GPU's memory", Look: true},
	172: {Meaning: "more about a 48: the error is in the GPU's caches or registers", Look: true},
}

// Copy engines have a number each.
func init() {
	codes := []uint64{39, 40, 41, 70, 71, 72, 75, 76, 77, 85, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135}
	for engine, code := range codes {
		xidRules[code] = XidRule{Meaning: "copy engine " + strconv.Itoa(engine) + " failed", Action: Restart, Needs: NewProcess}
	}
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
