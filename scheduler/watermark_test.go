package scheduler

import (
	"fmt"
	"testing"

	"chimera/engine/enginetest"
)

// This file owns the test of the watermark: how much is computed twice where pages are short.

// computedTimes is how many tokens of prompts are computed for each that was asked, by 64 requests of 64 tokens for 192, on so
// many pages.
func computedTimes(t *testing.T, pages int, without CharacteristicSet) float64 {
	l := roomy(32, 256)
	l.MaxContext, l.Groups[0] = 512, enginetest.Full(pages)
	w, lane := one(t, l, Config{StepTokens: 256, QueueLength: 64, Without: without})
	var all []*Sequence
	for i := range 64 {
		all = append(all, w.submit(lane, greedy(prompt(i, 64, 0), 192)))
	}
	w.until("all have their answers", func() bool {
		for _, seq := range all {
			if !seq.ended {
				return false
			}
		}
		return true
	})
	return float64(lane.Snapshot().PrefillTokens) / (64 * 64)
}

func TestWatermark(t *testing.T) {
	for _, pages := range []int{80, 120, 160, 200} {
		t.Run(fmt.Sprint(pages, " pages"), func(t *testing.T) {
			with, without := computedTimes(t, pages, 0), computedTimes(t, pages, withWatermark)
			t.Logf("%.2f, without a watermark %.2f", with, without)
			if with > 1.5 {
				t.Errorf("prompts are computed %.2f times", with)
			}
			if without < 2 {
				t.Errorf("without a watermark %.2f times: the test shows nothing", without)
			}
		})
	}
}
