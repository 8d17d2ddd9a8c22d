package scheduler

import (
	"fmt"
	"strings"
	"time"
)

// This file owns the policy's constants, and the switches that turn parts of it off. docs/POLICY.md has what it comes to with others.

// Rules are the policy's constants. They are not settings: the simulator tries others.
type Rules struct {
	// AgePassings is how many that came later may be let in before a waiting sequence; then it goes before all of its class.
	// Sixteen prompts of 128 tokens are four steps of 512: what a long prompt loses so is about what it takes itself.
	AgePassings int
	// AgeSteps is how many steps in a row may have rows of other prompts and none of a running sequence's; then its prompt is
	// the first of its class. So a long one has a ninth of the steps at least, and delays a short one by one step in nine.
	AgeSteps int
	// LengthRatio is how many times as long a prompt is at most that counts as about as long as another, so that the nearer deadline goes first.
	// With nearly 1 length alone decides, and prompts that are all alike are late in turn; with more long prompts that are near their deadlines
	// go before several short ones, of which each would have kept its own.
	LengthRatio float64
	// InputWeight and OutputWeight are what a tenant is charged for a token: one of an answer keeps a place and a row of the step for
	// itself, as one of a prompt does not. Prices of services differ by two to four.
	InputWeight, OutputWeight float64
	// BatchShare and BackgroundShare say one part of how many of the device's time a class gets that others would keep from it
	// always. Background has what the CPU's background work has (cgo/credit.go): decoding is slowed by no more than a sixteenth.
	BatchShare, BackgroundShare int
	// PlaceShare is one part of how many of the places batch keeps, against displacement by interactive, or, of pages, of one; background keeps one of BackgroundShare.
	PlaceShare int
	// LongStretch is by how much a long prompt may lengthen steps in which others decode: to that factor. It leaves it 1.1/2.1 of the time of
	// those steps. Beside eight clients, whose own prompts come first, its first token then comes less than 2.9 times as late as alone, and their
	// tokens less than 1.6 times as far apart in the 99th percentile (docs/POLICY.md): with less the first is missed, with more the second.
	LongStretch float64
	// ShortStep is how long prompts may make a step in which somebody decodes: who comes next waits for it before his own prompt is
	// begun, and who reads along for his next token. ShortRows are what they get whatever that lasts: with so many a CPU computes
	// 96% of what it can at most, with half of them 90% (docs/BENCHMARKS.md).
	ShortStep time.Duration
	ShortRows int
	// LeastRows is what prompts get in a step whatever it lasts, or they would wait for ever: with fewer the step would
	// be hardly shorter, since the weights are read for the first row as for the eighth.
	LeastRows int
	// Horizon is for how many tokens more of each that runs admission keeps pages (or to the end of its answer): long enough that who was
	// let in has got on far before he is sent back, if at all; short enough that answers which end early waste little.
	Horizon int
	// ReserveShare is one part of how many of a pool is kept so at most.
	ReserveShare int
	// QuietTime is for how long a tenant that asked little beside a flood is expected back (quiet.go): as long as it takes to read an answer
	// and to ask again. For that long the flood's steps are shorter, which costs it a percent or two.
	QuietTime time.Duration
	// QueueShare is one part of how many of the queue each tenant may use though others have filled it.
	QueueShare int
	// DoorTime is for how long a step is held back for each client that is likely to ask again (door.go). Over a Unix socket a program is back after 0.3
	// to 1 ms, template and tokeniser included; longer than this and those who read along would notice.
	DoorTime time.Duration
}

// DefaultRules are those in force.
var DefaultRules = Rules{
	AgePassings: 16, AgeSteps: 8, LengthRatio: 2,
	InputWeight: 1, OutputWeight: 2,
	BatchShare: 9, BackgroundShare: 17, PlaceShare: 8,
	LongStretch: 2.1, ShortStep: 64 * time.Millisecond, ShortRows: 128, LeastRows: 8,
	Horizon: 128, ReserveShare: 2,
	QuietTime: 30 * time.Second, QueueShare: 8, DoorTime: 1500 * time.Microsecond,
}

// CharacteristicSet is a set of characteristics.
type CharacteristicSet uint32

// What the policy looks at, each of which can be left out.
const (
	byClass CharacteristicSet = 1 << iota
	byPriority
	byDeadline
	byTenant
	byAge
	byLength
	byPrefix
	byLoan
	withBudget
	withWatermark
	withShares
	withForecast
	byHotness
	withDoor
)

// Characteristics are the names of all, for Config.Without.
var Characteristics = []struct {
	Name, Meaning string
	set           CharacteristicSet
}{
	{"class", "interactive goes before batch, within steps and on the way in", byClass},
	{"priority", "the higher priority goes first within a class", byPriority},
	{"deadline", "of prompts about as long the one that must begin first goes first; who can't be in time any more is sent away", byDeadline},
	{"fairness", "tenants have equal parts, by weight, of tokens and places, and of prompts those of one that asks little beside a flood go first", byTenant},
	{"ageing", "who was passed often goes before all of his class", byAge},
	{"length", "the shortest remaining prompt goes first", byLength},
	{"prefix", "of equals the one that finds the longest prefix goes first", byPrefix},
	{"lending", "who computes a prefix that others wait for has their class, priority and deadline", byLoan},
	{"budget", "prompts get as many rows of a step as those who decode can bear", withBudget},
	{"watermark", "nobody is let in on pages that the running will need", withWatermark},
	{"shares", "batch and background have a small part of the time, whoever else is there", withShares},
	{"hotness", "what is used often and takes long to compute stays in the cache, not what was used last", byHotness},
	{"door", "a step waits a moment for clients that come back at once, where that gains more than it costs (in no trace)", withDoor},
	{"admission", "what can't be answered by its deadline is refused at once", withForecast},
}

// CharacteristicsOf is the set of those names.
func CharacteristicsOf(names ...string) (set CharacteristicSet, err error) {
	for _, name := range names {
		found := false
		var known []string
		for _, c := range Characteristics {
			if known = append(known, c.Name); c.Name == name {
				set, found = set|c.set, true
			}
		}
		if !found {
			return 0, fmt.Errorf("%q is no characteristic of the policy: there are %s", name, strings.Join(known, ", "))
		}
	}
	return set, nil
}

func (s CharacteristicSet) has(c CharacteristicSet) bool { return s&c != 0 }
