package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chimera/api"
	"chimera/config"
)

// This file owns tests of escalation live: a daemon that serves the translation model at two bits under load, with its control loaded beside it, taken
// away, and a tier that changes meanwhile.

// served is an answer as its client has it.
type served struct {
	id, text, tier, fingerprint string
	question                    int
	streamed                    bool
}

func translationOf(question string, stream bool) map[string]any {
	return map[string]any{"messages": []map[string]string{{"role": "user", "content": question}}, "temperature": 0, "max_tokens": 128, "stream": stream}
}

// translateAs asks for a translation as any client does, whole or as a stream.
func (r *remembering) translateAs(question string, stream bool) (s served, err error) {
	status, header, text := r.do("POST", "/v1/chat/completions", "", translationOf(question, stream))
	s.tier, s.streamed = header.Get("X-Chimera-Tier"), stream
	if status != http.StatusOK {
		return s, fmt.Errorf("%d %s", status, text)
	}
	type answer struct {
		ID          string
		Fingerprint string `json:"system_fingerprint"`
		Choices     []struct{ Message, Delta struct{ Content string } }
	}
	read := func(text string) error {
		var a answer
		if err := json.Unmarshal([]byte(text), &a); err != nil || len(a.Choices) != 1 {
			return fmt.Errorf("%w: %s", err, text)
		}
		s.id, s.fingerprint = a.ID, a.Fingerprint
		s.text += a.Choices[0].Message.Content + a.Choices[0].Delta.Content
		return nil
	}
	if !stream {
		return s, read(string(text))
	}
	for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
		if event, is := strings.CutPrefix(lines.Text(), "data: "); is && event == "[DONE]" {
			return s, nil
		} else if is {
			if err := read(event); err != nil {
				return s, err
			}
		}
	}
	return s, io.ErrUnexpectedEOF
}

// escalationOf is what GET /v1/quality says of the first model.
func (r *remembering) escalationOf() api.EscalationState {
	r.t.Helper()
	var q api.Quality
	r.must("GET", "/v1/quality", administrator, nil, &q)
	return q.Escalation[0]
}

// load has clients ask for lines, in turn, until so many answers are there.
func (r *remembering) load(questions []string, answers, clients int) (list []served) {
	var next atomic.Int64
	var mu sync.Mutex
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= answers {
					return
				}
				s, err := r.translateAs(questions[i%len(questions)], i/len(questions)%2 == 1)
				if err != nil {
					r.t.Errorf("request %d: %v", i, err)
				}
				s.question = i % len(questions)
				mu.Lock()
				list = append(list, s)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return list
}

// Under 8 clients, whole and streamed, no more than the budget is extra, by the counters and by the receipts; each answer is, to the byte, the one
// of the tier that it names alone; none fails, also while the tier changes and when the control is taken away; and escalated answers are replayed.
func TestEscalationLive(t *testing.T) {
	const budget = 0.05
	questions := readHalf(t, "test.jsonl", 150).questions
	want := map[string][]translated{}
	for _, tier := range []string{"q2_k", "q3_k", api.SourceTier} {
		want[tier] = atTier(t, tier, nil).translate(questions)
	}
	r := atTier(t, "q2_k", func(c *config.Config) { c.Quality.EdgeBudget = budget })
	list := r.load(questions, 900, 8) // 450 of each kind: both are calibrated
	until(t, func() bool { return r.escalationOf().Control })
	list = append(list, r.load(questions, 600, 8)...)
	changed := make(chan struct{})
	go func() {
		defer close(changed)
		for _, tier := range []string{"q3_k", "q2_k"} {
			if status, text := r.set(tier); status != 200 {
				t.Errorf("%d %s", status, text)
			}
		}
	}()
	list = append(list, r.load(questions, 600, 8)...)
	<-changed
	before := r.escalationOf()
	dropped := make(chan struct{})
	go func() {
		defer close(dropped)
		r.models.dropControls(context.Background())
	}()
	list = append(list, r.load(questions, 300, 8)...)
	<-dropped
	after := r.escalationOf()
	t.Logf("%+v, then %+v", before, after)
	if after.Control || after.Extra == 0 || !(float64(after.Extra) <= budget*float64(after.Tokens)) || after.Threshold == nil || after.StreamThreshold == nil {
		t.Errorf("%+v", after)
	}
	r.checkServed(list, want, after)
	r.checkReplays(list, questions)
}

// checkServed holds answers against those of their tiers alone, and their receipts against the counters.
func (r *remembering) checkServed(list []served, want map[string][]translated, counted api.EscalationState) {
	t := r.t
	t.Helper()
	tokens, extra, escalated := int64(0), int64(0), map[bool]int64{}
	for _, s := range list {
		if all := want[s.tier]; all == nil || s.text != all[s.question].text {
			t.Errorf("question %d at %s: %q", s.question, s.tier, s.text)
			continue
		}
		p := r.receipt("", s.id)
		if p.Tier != s.tier || p.Numerics != s.fingerprint || (p.Escalated != "") != (s.tier == api.SourceTier) || p.Escalated != "" && p.ExtraTokens <= p.PromptTokens {
			t.Errorf("%+v of %+v", p, s)
		}
		if p.Escalated != "" {
			escalated[s.streamed]++
			if p.ExtraCoreSeconds == nil || !(*p.ExtraCoreSeconds > 0 && *p.ExtraCoreSeconds < *p.CoreSeconds) {
				t.Errorf("an escalated answer's cost: %v of %v", p.ExtraCoreSeconds, p.CoreSeconds)
			}
		}
		tokens, extra = tokens+p.PromptTokens+p.AnswerTokens, extra+p.ExtraTokens
	}
	if escalated[false]+escalated[true] != counted.Escalated || escalated[false] == 0 || escalated[true] == 0 || extra != counted.Extra || tokens != counted.Tokens {
		t.Errorf("by receipts %v are escalated and %d of %d tokens extra, by the counters %+v", escalated, extra, tokens, counted)
	}
	for _, line := range []string{
		fmt.Sprintf(`chimera_escalations_total{model="mt",result="escalated"} %d`, counted.Escalated),
		fmt.Sprintf(`chimera_escalation_tokens_total{kind="extra",model="mt"} %d`, counted.Extra),
	} {
		if _, _, text := r.do("GET", "/metrics", "", nil); !strings.Contains(string(text), line) {
			t.Errorf("the metrics have no %s", line)
		}
	}
}

// checkReplays computes answers of each tier again, all while one tier serves.
func (r *remembering) checkReplays(list []served, questions []string) {
	t := r.t
	t.Helper()
	done := map[string]int{}
	for _, s := range list {
		if done[s.tier]++; done[s.tier] > 3 {
			continue
		}
		var again api.Replay
		r.must("POST", "/v1/replay", administrator, map[string]any{"answer": s.id, "request": translationOf(questions[s.question], s.streamed)}, &again)
		if !again.Equal || !again.SameNumerics || again.Numerics != s.fingerprint {
			t.Errorf("an answer at %s again: %+v", s.tier, again)
		}
	}
	if len(done) < 2 {
		t.Errorf("replayed are %v", done)
	}
}

// until waits for what must come.
func until(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come")
		}
	}
}

// Without room for the source beside the tier answers are given as they are, and why is told; nobody's memory is taken for it.
func TestEscalationWithoutRoom(t *testing.T) {
	r := atTier(t, "q2_k", nil)
	r.translate([]string{"Open"})
	taken := r.models.state("mt").Memory
	r = atTier(t, "q2_k", func(c *config.Config) { c.Quality.EdgeBudget, c.Memory = 0.3, int(taken>>20)+2 })
	questions := readHalf(t, "test.jsonl", 100).questions
	r.load(questions, 700, 8)
	until(t, func() bool { return r.escalationOf().Problem != "" })
	e := r.escalationOf()
	if e.Escalated != 0 || e.Extra != 0 || e.FellBack["control"] == 0 || e.Control || !strings.Contains(e.Problem, "memory_mib") || r.models.state("mt").NoControl != e.Problem {
		t.Errorf("%+v, %+v", e, r.models.state("mt"))
	}
}

// A model that serves at its source, or has no bits to lose, is left alone, and a budget is changed while it is served.
func TestEscalationWhereItIsOfUse(t *testing.T) {
	questions := readHalf(t, "test.jsonl", 20).questions
	r := atTier(t, api.SourceTier, func(c *config.Config) { c.Quality.EdgeBudget = 0.05 })
	r.load(questions, 20, 4)
	if e := r.escalationOf(); e.Tokens != 0 || e.Budget != 0.05 || e.Tier != api.SourceTier {
		t.Errorf("at the source: %+v", e)
	}
	up := r.models.list[0].up
	for tier, below := range map[string]bool{api.SourceTier: false, "f16": true, "q2_k": true, "none": false} {
		if up.isBelow(tier) != below {
			t.Errorf("%s is below the source: %t", tier, !below)
		}
	}
	up.ladder[3] = up.ladder[0] // as of a file of few bits
	if up.isBelow(config.TierNames()[3]) {
		t.Error("a tier of as many bytes is below the source")
	}
	r = atTier(t, "q2_k", nil)
	r.load(questions, 20, 4)
	r.models.setEdgeBudget(0.02)
	r.load(questions, 20, 4)
	if e := r.escalationOf(); e.Tokens == 0 || e.Budget != 0.02 {
		t.Errorf("switched on: %+v", e)
	}
}
