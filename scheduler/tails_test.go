package scheduler

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of tails: what a prompt finds of a page that is not full, or that others filled otherwise.

// turned is a lane whose loop the test turns, with pages that are checked at each step.
func turned(t *testing.T, l engine.Limits, c Config, groups ...engine.GroupLimits) (*Loop, *Lane) {
	t.Helper()
	if len(groups) > 0 {
		l.Groups = groups
	}
	in := enginetest.New(l)
	loop, s := still(t, in, c)
	in.Refuse = func(int) error { return s.check() }
	turn(t, loop)
	return loop, s
}

// ask submits a request and turns the loop until its answer is there, which it checks; it tells how many tokens of the prompt were computed.
func ask(t *testing.T, loop *Loop, s *Lane, r Request) (computed int) {
	t.Helper()
	before := s.stats.PrefillTokens
	seq := mustSubmit(t, s, r)
	untilDone(t, loop, s, seq, 100)
	if got, _, last := collect(t, seq); !slices.Equal(got, answerOn(s.limits, r)) {
		t.Errorf("%v (%v), want %v", got, last.Err, answerOn(s.limits, r))
	}
	if computed = int(s.stats.PrefillTokens - before); computed != len(r.Prompt)-seq.Cached() {
		t.Errorf("%d tokens of %d computed, %d found", computed, len(r.Prompt), seq.Cached())
	}
	return computed
}

func mustSubmit(t *testing.T, s *Lane, r Request) *Sequence {
	t.Helper()
	seq, err := s.Submit(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// kinds are programs of which a prefix may be kept.
func kinds() [][]engine.GroupLimits {
	return [][]engine.GroupLimits{
		{enginetest.Full(128)}, {enginetest.Full(128), enginetest.Windowed(window, 60)}, {enginetest.Windowed(window, 60)}, {enginetest.Windowed(window, 60), enginetest.Full(128)},
	}
}

// Of a prompt that was computed before one token is, whose logits are wanted: whatever its length, and however long the answer was that
// stands behind it in its last page.
func TestFullHitComputesOneToken(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		for _, groups := range kinds() {
			for _, n := range []int{2, 15, 16, 17, 31, 32, 33, 160, 170} {
				for _, tokens := range []int{0, 1, 5, 20} {
					loop, s := turned(t, l, config, groups...)
					r := greedy(prompt(n, n, 0), tokens)
					if got := ask(t, loop, s, r); got != n {
						t.Fatalf("%d tokens computed of a new prompt of %d", got, n)
					}
					for range 2 {
						if got := ask(t, loop, s, r); got != 1 {
							t.Errorf("%d groups, a prompt of %d with %d tokens behind it: %d computed, want 1", len(groups), n, tokens, got)
						}
					}
				}
			}
		}
	})
}

// It is so while the one that computed it runs, whose page grows meanwhile.
func TestHitOnAPageThatGrows(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		for _, groups := range kinds() {
			loop, s := turned(t, l, config, groups...)
			r := greedy(prompt(1, 170, 0), 40)
			first := mustSubmit(t, s, r)
			for first.delivered() == 0 {
				turn(t, loop)
			}
			for i := range 6 { // on the way the page fills, and is shared as any
				longer := greedy(slices.Concat(r.Prompt, prompt(i+2, 5, 0)), 1)
				if a, b := ask(t, loop, s, longer), ask(t, loop, s, greedy(r.Prompt, 1)); a != 5 || b != 1 {
					t.Errorf("beside one that runs %d tokens computed of a prompt with 5 more, %d of its own", a, b)
				}
			}
			untilDone(t, loop, s, first, 100)
			if got, _, _ := collect(t, first); !slices.Equal(got, answerOn(s.limits, r)) {
				t.Errorf("the one whose page was copied: %v, want %v", got, answerOn(s.limits, r))
			}
		}
	})
}

// A prompt that goes on otherwise inside a page has what it shares of it, and leaves the page as it was.
func TestPromptsPartInsideAPage(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		for _, groups := range kinds() {
			for _, shared := range []int{1, 15, 16, 90, 100, 111} {
				loop, s := turned(t, l, config, groups...)
				a, b := greedy(prompt(1, 120, shared), 30), greedy(prompt(2, 120, shared), 30)
				ask(t, loop, s, a)
				if got := ask(t, loop, s, b); got != 120-shared {
					t.Errorf("%d groups: %d tokens computed of 120 that share %d", len(groups), got, shared)
				}
				for _, r := range []Request{a, b} {
					if got := ask(t, loop, s, r); got != 1 {
						t.Errorf("%d groups, %d shared: %d tokens computed of one that came again", len(groups), shared, got)
					}
				}
			}
		}
	})
}

// Nobody finds the beginning of another tenant's page, or of other weights'.
func TestTailsAreApart(t *testing.T) {
	loop, s := turned(t, testLimits(1), config)
	r := greedy(prompt(1, 10, 0), 1)
	r.Salt = "a"
	ask(t, loop, s, r)
	for _, salt := range []string{"b", ""} {
		if r.Salt = salt; ask(t, loop, s, r) != 10 {
			t.Errorf("a tail was found with the salt %q", salt)
		}
	}
	if _, err := s.Replace(weightsOf(2), nil); err != nil {
		t.Fatal(err)
	}
	seq := mustSubmit(t, s, r)
	if untilDone(t, loop, s, seq, 20); seq.Cached() != 0 {
		t.Error("a tail of other weights was found")
	}

	d := dryOf(t, Config{}, enginetest.Full(4)) // so few lists that others' families share them
	d.ask(t, 0, r.Prompt)
	root := d.newest().root
	for i := range 64 {
		other := root.of(fmt.Sprint("tenant ", i))
		if _, n := d.groups[0].pool.longest(&other, r.Prompt); n > 0 {
			t.Fatalf("tenant %d finds %d tokens of another's", i, n)
		}
	}
}

// What somebody has computed of a page when he goes is not lost to who waited for him.
func TestWaiterInheritsATail(t *testing.T) {
	long := greedy(prompt(1, 400, 0), 1)
	loop, s := turned(t, testLimits(1), Config{StepTokens: 60, QueueLength: 16})
	all, err := s.SubmitGroup(context.Background(), []Request{long, long})
	if err != nil {
		t.Fatal(err)
	}
	turn(t, loop)
	turn(t, loop)
	all[0].Stop()
	untilDone(t, loop, s, all[1], 20)
	if all[1].Cached() != 120 || s.stats.PrefillTokens != 400 {
		t.Errorf("%d tokens found of 120 that were computed; %d computed in all", all[1].Cached(), s.stats.PrefillTokens)
	}
}

// Who found all but one token of his prompt is in the next step, though others' prompts would fill it.
func TestHitWaitsForNoPrompt(t *testing.T) {
	loop, s := turned(t, testLimits(1), config)
	r := greedy(prompt(1, 170, 0), 1)
	ask(t, loop, s, r)
	long := mustSubmit(t, s, greedy(prompt(2, 400, 0), 1))
	old := greedy(prompt(3, 400, 0), 1)
	old.Priority = 9
	older := mustSubmit(t, s, old)
	turn(t, loop)
	hit := mustSubmit(t, s, r)
	turn(t, loop)
	if hit.delivered() == 0 || long.delivered()+older.delivered() > 0 {
		t.Error("its first token did not come with the next step")
	}
	untilDone(t, loop, s, older, 50)
	untilDone(t, loop, s, long, 50)
}

// What is asked for again has as many uses in the page where its prompt ends as in the others, and one that goes on otherwise uses
// that page too.
func TestTailIsUsedOnce(t *testing.T) {
	loop, s := turned(t, testLimits(1), config)
	r := greedy(prompt(1, 40, 0), 20)
	for range 4 {
		ask(t, loop, s, r)
	}
	usesOf := func(tokens ...int32) (uses []uint32) {
		pool := s.groups[0].pool
		key := s.newest().root
		for i := 0; i+engine.PageTokens <= len(tokens); i += engine.PageTokens {
			key = keyOf(key, tokens[i:][:engine.PageTokens])
			n, _ := pool.find(key)
			uses = append(uses, pool.nodes[n].uses)
		}
		return uses
	}
	whole := slices.Concat(r.Prompt, answer(r))
	if got := usesOf(whole[:48]...); !slices.Equal(got, []uint32{4, 4, 4}) {
		t.Errorf("uses %v of what was asked for four times", got)
	}
	ask(t, loop, s, greedy(slices.Concat(r.Prompt[:36], prompt(5, 30, 0)), 1))
	if got := usesOf(whole[:48]...); !slices.Equal(got, []uint32{5, 5, 5}) {
		t.Errorf("uses %v when another shared 36 tokens", got)
	}
	if saved := s.cacheState().HitTokens; saved != 3*39+36 {
		t.Errorf("%d tokens were found, want %d", saved, 3*39+36)
	}
}

// refusing copies no page.
type refusing struct{ *enginetest.Instance }

var errNoCopy = errors.New("no copy")

func (refusing) CopyPages(engine.GroupID, []engine.PageCopy) error { return errNoCopy }

// A copy that is refused ends the lane: its step would stand on nothing.
func TestRefusedCopy(t *testing.T) {
	loop, s := still(t, refusing{enginetest.New(testLimits(1))}, config)
	turn(t, loop)
	r := greedy(prompt(1, 20, 0), 1)
	ask(t, loop, s, r)
	seq := mustSubmit(t, s, r)
	for range 3 {
		turn(t, loop)
	}
	if _, _, last := collect(t, seq); last.Finish != Failed || !errors.Is(last.Err, errNoCopy) || !strings.Contains(last.Err.Error(), "page not copied") {
		t.Errorf("it ended with %d, %v", last.Finish, last.Err)
	}
}

// As a conversation goes on, each turn goes on in the page in which the one before ended.
func TestTurnsLeaveNoEnds(t *testing.T) {
	for _, groups := range kinds() {
		loop, s := turned(t, testLimits(1), config, groups...)
		r := greedy(prompt(1, 20, 0), 5)
		for turns := range 6 {
			if got, want := ask(t, loop, s, r), len(r.Prompt)-turns*(20+5)+min(turns, 1); got != want {
				t.Errorf("%d tokens computed of turn %d, want %d", got, turns, want)
			}
			r.Prompt = slices.Concat(r.Prompt, answerOn(s.limits, r), prompt(turns+2, 20, 0))
		}
		if want := pagesTo(len(r.Prompt) - 20); s.groups[0].pool.cached != want || s.stats.CopiedPages != 0 {
			t.Errorf("%d pages of a conversation that takes %d, and %d copied", s.groups[0].pool.cached, want, s.stats.CopiedPages)
		}
	}
}

// However many continue a prefix alike, a bounded number is looked at, the youngest first.
func TestFamiliesAreSearchedInBounds(t *testing.T) {
	d := dryOf(t, Config{}, enginetest.Full(2*mostSiblings))
	of := func(id int32) []int32 { return slices.Concat([]int32{7}, slices.Repeat([]int32{id}, 9)) }
	for id := range int32(mostSiblings + 1) {
		d.ask(t, 0, of(id))
	}
	root := d.newest().root
	for id, want := range map[int32]int{0: 1, 1: 10, mostSiblings: 10} {
		if _, n := d.groups[0].pool.longest(&root, of(id)); n != want {
			t.Errorf("continuation %d: %d tokens found, want %d", id, n, want)
		}
	}
	if _, n := d.groups[0].pool.longest(&root, []int32{8}); n != 0 {
		t.Error("what nobody asked for was found")
	}
}

// Tails come and go with whatever prompts there are, on few pages: answers are right, and each prompt that comes again finds all that is
// still there, which is one token less than it has when nothing was evicted.
func TestTailProperties(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		copied, whole := uint64(0), 0
		for seed := range uint64(24) {
			r := rand.New(rand.NewPCG(seed, 14))
			groups := kinds()[r.IntN(4)]
			for g := range groups {
				groups[g].Pages = groups[g].PagesFor(200, 64) + r.IntN(30)
			}
			l.MaxContext = 200
			loop, s := turned(t, l, Config{StepTokens: 10 + r.IntN(54), QueueLength: 64}, groups...)
			var live []*Sequence
			asked := map[*Sequence]Request{}
			for range 150 {
				switch k := r.IntN(8); {
				case k < 3 && len(live) < 16:
					q := greedy(prompt(r.IntN(3), 1+r.IntN(120), r.IntN(60)), r.IntN(40))
					q.Salt, q.ScorePrompt = []string{"", "a"}[r.IntN(2)], r.IntN(9) == 0
					seq := mustSubmit(t, s, q)
					asked[seq], live = q, append(live, seq)
				case k == 3 && len(live) > 0:
					live[r.IntN(len(live))].Stop()
				case k == 4 && len(s.running) > 1 && s.steps.underWay == 0:
					s.next = s.steps.next()
					s.plans++
					s.preempt(s.running[r.IntN(len(s.running))])
				default:
					turn(t, loop)
				}
				if err := s.check(); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				live = slices.DeleteFunc(live, func(seq *Sequence) bool {
					if n := seq.delivered(); n == 0 || seq.events[n-1].Finish == Running {
						return false
					}
					q := asked[seq]
					got, _, last := collect(t, seq)
					if want := answerOn(s.limits, q); last.Finish == Length && !slices.Equal(got, want) || last.Finish == Failed {
						t.Fatalf("seed %d, a prompt of %d: %v (%v), want %v", seed, len(q.Prompt), got, last.Err, want)
					}
					if seq.Cached() == len(q.Prompt)-1 && seq.Cached() > 0 {
						whole++
					}
					return true
				})
			}
			copied += s.stats.CopiedPages
		}
		if copied < 100 || whole < 50 {
			t.Errorf("%d pages copied and %d whole prompts found prove nothing", copied, whole)
		}
	})
}

// A turn's question for a tail allocates nothing.
func TestTailsAllocateNothing(t *testing.T) {
	d := dryOf(t, Config{}, enginetest.Full(400))
	d.ask(t, 0, object(1, 50)[:799])
	seq := newSequence(greedy(object(1, 50), 1), d.wake, time.Now)
	seq.hash(d.newest(), d.offers.Load(), nil)
	if n := testing.AllocsPerRun(100, func() {
		if prefix, _ := d.prefix(seq); prefix != 49 || d.tail(seq, prefix) != 15 {
			t.Fatal("it is not found")
		}
	}); n != 0 {
		t.Errorf("%.0f allocations", n)
	}
}
