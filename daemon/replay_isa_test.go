package daemon

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"chimera/api"
	"chimera/cgo"
	"chimera/config"
)

// This file owns the test that answers are computed again on other instruction sets, to the byte: sampled, escalated, several in one completion, of
// biased tokens, over a change of the tier.

// replayed is an answer that was given, with its request and its receipt.
type replayed struct {
	request map[string]any
	receipt api.Receipt
}

// sampledRequest is one of a hundred, each of which has its seed and its temperature.
func sampledRequest(i int, question string) map[string]any {
	body := map[string]any{
		"messages": []map[string]string{{"role": "user", "content": question}}, "temperature": 0.3 + float64(i%5)/5, "seed": 1000 + i, "max_tokens": 32,
	}
	switch {
	case i%10 == 3:
		body["n"] = 2
	case i%10 == 7:
		body["logit_bias"], body["top_k"] = map[string]any{"5": 2.5, "9": false}, 40
	case i%10 == 9:
		body["presence_penalty"], body["top_p"] = 0.7, 0.9
	}
	return body
}

// answersOverASwap has clients ask for a hundred sampled answers, in the middle of which the tier changes, and gives all with their receipts.
func (r *remembering) answersOverASwap(questions []string, to string) []replayed {
	t, list := r.t, make([]replayed, 100)
	t.Helper()
	r.sampled(list[:35], questions, 0)
	var swap sync.WaitGroup
	swap.Go(func() {
		if status, text := r.set(to); status != 200 {
			t.Errorf("%d %s", status, text)
		}
	})
	r.sampled(list[35:65], questions[35:], 35)
	swap.Wait()
	r.sampled(list[65:], questions[65:], 65)
	return list
}

// sampled fills a list by 8 clients; first is the number of its first request.
func (r *remembering) sampled(list []replayed, questions []string, first int) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				var a struct{ ID string }
				list[i].request = sampledRequest(first+i, questions[i])
				r.must("POST", "/v1/chat/completions", "", list[i].request, &a)
				list[i].receipt = r.receipt("", a.ID)
			}
		})
	}
	group.Wait()
}

// A hundred answers as one instruction set has computed them are, token by token, those of the others, on daemons that know their receipts alone.
func TestReplayOnOtherInstructionSets(t *testing.T) {
	sets := slices.DeleteFunc([]string{"avx512", "avx2", "scalar"}, func(isa string) bool { return !cgo.HasISA(isa) })
	if len(sets) < 2 {
		t.Skip("this machine has one instruction set")
	}
	questions := readHalf(t, "test.jsonl", 400).questions
	r := atTier(t, "q2_k", func(c *config.Config) { c.ISA, c.Quality.EdgeBudget = sets[0], 0.05 })
	r.load(questions, 264, 8) // or nothing is known of what is unsure
	until(t, func() bool { return r.escalationOf().Control })
	list := r.answersOverASwap(questions, "q3_k")
	tiers, escalated := map[string]int{}, 0
	for _, a := range list {
		if tiers[a.receipt.Tier]++; a.receipt.Escalated != "" {
			escalated++
		}
	}
	if t.Logf("answered by %v, %d of them escalated", tiers, escalated); escalated < 3 || tiers["q2_k"] < 10 || tiers["q3_k"] < 10 {
		t.Errorf("%v, %d escalated", tiers, escalated)
	}
	for _, isa := range sets[1:] {
		other, same := atTier(t, "q2_k", func(c *config.Config) { c.ISA = isa }), 0
		for _, tier := range []string{"q2_k", "q3_k", api.SourceTier} { // each served in its turn: loading one for each answer takes longer
			if status, text := other.set(tier); status != 200 {
				t.Fatalf("%d %s", status, text)
			}
			for _, a := range list {
				if a.receipt.Tier == tier && other.replays(a) {
					same++
				}
			}
		}
		if same != len(list) {
			t.Errorf("%s: %d of %d answers are the same", isa, same, len(list))
		}
	}
}

// replays tells whether an answer of elsewhere is the same here.
func (r *remembering) replays(a replayed) bool {
	r.t.Helper()
	var got api.Replay
	r.must("POST", "/v1/replay", administrator, map[string]any{"receipt": a.receipt, "request": a.request}, &got)
	if !got.Equal || !got.SameNumerics {
		r.t.Errorf("%v at %s: %+v, was %s of %s", a.request, a.receipt.Tier, got, a.receipt.TokensDigest, a.receipt.Numerics)
	}
	return got.Equal && got.SameNumerics && got.TokensDigest == a.receipt.TokensDigest
}
