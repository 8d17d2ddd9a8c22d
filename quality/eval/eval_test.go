package eval

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"chimera/quality/score"
	"chimera/quality/suite"
)

// This file owns tests of runs: what is asked, what is kept of it, and that a run which was ended gives what it would have given.

// parrot answers by a function of the last turn.
type parrot struct {
	who      Identity
	say      func(text string) (Reply, error)
	drawn    func(text string, as Sampling) string // what say echoes instead; nil: the text
	likely   func(behind, text string) float64     // nil: it tells none
	asked    atomic.Int64
	mostOnce atomic.Int64
	now      atomic.Int64
}

func (p *parrot) Identify(context.Context) (Identity, error) { return p.who, nil }

func (p *parrot) Answer(ctx context.Context, messages []suite.Message, as Sampling) (Reply, error) {
	p.asked.Add(1)
	now := p.now.Add(1)
	defer p.now.Add(-1)
	for most := p.mostOnce.Load(); now > most && !p.mostOnce.CompareAndSwap(most, now); most = p.mostOnce.Load() {
	}
	text := messages[len(messages)-1].Content
	if p.drawn != nil {
		text = p.drawn(text, as)
	}
	return p.say(text)
}

func (p *parrot) Likelihoods(_ context.Context, behind string, texts []string) (list []float64, err error) {
	if p.likely == nil {
		return nil, fmt.Errorf("so it is: %w", ErrNoLikelihoods)
	}
	for _, text := range texts {
		list = append(list, p.likely(behind, text))
	}
	return list, nil
}

func echo(text string) (Reply, error) {
	return Reply{Text: " " + text + "\n", Finish: "stop", Numerics: "n1"}, nil
}

func read(t testing.TB, lines ...string) *suite.Suite {
	t.Helper()
	s, err := suite.Read("s.jsonl", strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func begin(t testing.TB, s *suite.Suite, p *parrot, clients int) *Run {
	t.Helper()
	p.who = Identity{"parrot", "n1"}
	r, err := Begin(t.Context(), s, p, Settings{MaxTokens: 64}, clients)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func reportOf(t testing.TB, r *Run) *Report {
	t.Helper()
	outcomes, err := r.Outcomes(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.Report(outcomes)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func equal(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12*max(1, math.Abs(want))) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// Each kind has its metrics, with the values that package score and a sheet of paper have.
func TestKinds(t *testing.T) {
	s := read(t,
		`{"id":"t1","input":"the cat sat on the mat","references":["the cat sat on a mat","a cat was there"],"kind":"translation","tags":["cats"],"half":"tuning"}`,
		`{"id":"t2","input":"a dog","references":["a dog"],"kind":"translation","half":"sealed"}`,
		`{"id":"q1","input":"The Paris","references":["Rome","paris!"],"kind":"qa","tags":["cats"],"half":"tuning"}`,
		`{"id":"q2","input":"Paris Rome","references":["Rome"],"kind":"qa","half":"sealed"}`,
		`{"id":"e1","input":"it is 4","kind":"edge","checks":[{"check":"number","number":4},{"check":"asks"}],"half":"tuning"}`,
		`{"id":"x1","input":"a b c","references":["a c"],"kind":"text","half":"tuning"}`,
		`{"id":"c1","input":"Q1 ","choices":["no","yes indeed"],"answer":1,"kind":"choice","half":"tuning"}`,
		`{"id":"c2","input":"Q2","choices":["no","yes indeed"],"answer":0,"kind":"choice","half":"tuning"}`,
	)
	p := &parrot{say: echo, likely: func(behind, text string) float64 {
		if behind == "Q1" && text == " yes indeed" {
			return -2.5 // behind " no" by the sum, and before it by the character
		}
		if behind == "Q2" && text == " yes indeed" {
			return -20
		}
		return -2
	}}
	r := reportOf(t, begin(t, s, p, 3))
	for name, metric := range map[string]string{"bleu": "bleu", "chrf": "chrf"} {
		m, _ := score.New(metric, "")
		c, err := score.Corpus(m, []string{"the cat sat on the mat", "a dog"}, [][]string{{"the cat sat on a mat"}, {"a dog"}}, false)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, name, r.Scores[name].Value, c.Score)
		if r.Scores[name].Signature != c.Signature || r.Scores[name].N != 2 {
			t.Errorf("%s: %+v", name, r.Scores[name])
		}
	}
	confident := 1 / (1 + math.Exp(-0.5))
	sure := 1 / (1 + math.Exp(-18))
	for name, want := range map[string]float64{"exact": 0.5, "f1": (1 + 2.0/3) / 2, "properties": 0.5, "rouge-l": 0.8, "acc": 0.5, "acc_norm": 1, "ece": (confident + 1 - sure) / 2} {
		equal(t, name, r.Scores[name].Value, want)
	}
	if sig := r.Scores["exact"].Signature; !strings.HasPrefix(sig, "nrefs:var|norm:squad") {
		t.Errorf("two references here and one there: %s", sig)
	}
	if tag := r.ByTag["cats"]; len(r.ByTag) != 1 || len(tag) != 4 || tag["exact"].Value != 1 || tag["exact"].N != 1 || tag["exact"].Low != nil {
		t.Errorf("by tag: %+v", r.ByTag)
	}
	if sealed := r.ByHalf[suite.Sealed]; sealed["exact"].Value != 0 || sealed["bleu"].N != 1 || len(sealed) != 4 {
		t.Errorf("sealed: %+v", sealed)
	}
	if e := r.Scores["exact"]; *e.Low != 0 || *e.High != 1 || r.Settings.Choices != ByLikelihood || r.N != 8 || p.asked.Load() != 6 {
		t.Errorf("%+v, %+v, %d asked", e, r.Settings, p.asked.Load())
	}
}

func TestChoicesByLetter(t *testing.T) {
	s := read(t,
		`{"id":"a","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Sky?"}],"choices":["red","blue"],"answer":1,"kind":"choice"}`,
		`{"id":"b","input":"Grass?","choices":["red","green"],"answer":0,"kind":"choice"}`)
	var said []string
	var mu sync.Mutex
	p := &parrot{say: func(text string) (Reply, error) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, text)
		return Reply{Text: "B"}, nil
	}}
	r := reportOf(t, begin(t, s, p, 1))
	if r.Settings.Choices != ByLetter || r.Scores["acc"].Value != 0.5 || len(r.Scores) != 1 {
		t.Errorf("%+v %+v", r.Settings, r.Scores)
	}
	if want := "Sky?\n\nA. red\nB. blue\n\nAnswer with the letter of the right choice alone."; said[0] != want {
		t.Errorf("%q, want %q", said[0], want)
	}
	for answer, want := range map[string]int{
		"B": 1, " b.": 1, "(B) blue": 1, "B: blue": 1, "**B**": 1, "The answer is B.": 1, "A dog is B": 1, "blue": 1, "Blue.": 1, "I choose A": 0,
		"C": -1, "": -1, "neither": -1, "because": -1, "bread": -1, "A, not B": 0, "It's B's": -1,
	} {
		if got := chosen(answer, []string{"red", "blue"}); got != want {
			t.Errorf("%q names choice %d, want %d", answer, got, want)
		}
	}
}

// many is a suite of translations of lengths that differ.
func many(t testing.TB, n int) *suite.Suite {
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprintf(`{"id":"%d","input":"the %d cat%s","references":["the %d dogs%s"],"kind":"translation","tags":["mod%d"]}`, i, i, strings.Repeat(" sat", i%7), i*i%10, strings.Repeat(" sat", i%5), i%3))
	}
	return read(t, lines...)
}

// A run that is ended after any item, its journal cut off at any byte or spoilt there, gives the same report, and asks no item again that
// the journal has.
func TestGoesOn(t *testing.T) {
	s := many(t, 40)
	text := func(r *Report) []byte {
		b, err := json.Marshal(r, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := text(reportOf(t, begin(t, s, &parrot{say: echo}, 1)))
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(t.TempDir(), "deep", "j.jsonl")
		most := rapid.Int64Range(0, 45).Draw(rt, "answers")
		p := &parrot{}
		p.say = func(text string) (Reply, error) {
			if p.asked.Load() > most {
				return Reply{}, errors.New("killed")
			}
			return echo(text)
		}
		r := begin(t, s, p, rapid.IntRange(1, 5).Draw(rt, "clients"))
		j, err := OpenJournal(path, r.Key())
		if err != nil {
			rt.Fatal(err)
		}
		if _, err := r.Outcomes(t.Context(), j); (err == nil) != (most >= 40) {
			rt.Fatalf("after %d answers: %v", most, err)
		}
		j.Close()
		file, err := os.ReadFile(path)
		if err != nil {
			rt.Fatal(err)
		}
		cut := rapid.IntRange(0, len(file)).Draw(rt, "cut")
		if spoilt := rapid.Bool().Draw(rt, "spoilt"); spoilt && cut < len(file) {
			file[cut] ^= 1
		} else {
			file = file[:cut]
		}
		if err := os.WriteFile(path, file, 0o600); err != nil {
			rt.Fatal(err)
		}
		whole := max(bytes.Count(file[:cut], []byte("\n"))-1, 0) // outcomes whose lines ended before it
		again := &parrot{say: echo}
		r = begin(t, s, again, rapid.IntRange(1, 5).Draw(rt, "clients then"))
		if j, err = OpenJournal(path, r.Key()); err != nil {
			rt.Fatal(err)
		}
		outcomes, err := r.Outcomes(t.Context(), j)
		if err != nil || int(again.asked.Load()) != 40-whole {
			rt.Fatalf("%d asked again where %d of 40 were whole: %v", again.asked.Load(), whole, err)
		}
		report, err := r.Report(outcomes)
		if err != nil || !bytes.Equal(text(report), want) {
			rt.Fatalf("another report, %v", err)
		}
		if err := j.Remove(); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestJournalIsOneRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.jsonl")
	j, err := OpenJournal(path, "one")
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Write(Outcome{ID: "a", Text: "b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(path, "one"); err == nil || !strings.Contains(err.Error(), "under way in another process") {
		t.Errorf("two at once: %v", err)
	}
	j.Close()
	if j, err = OpenJournal(path, "one"); err != nil || j.done[asked{"a", 0}].Text != "b" {
		t.Fatal(j, err)
	}
	j.Close()
	if j, err = OpenJournal(path, "other"); err != nil || len(j.done) != 0 {
		t.Fatal(j, err)
	}
	if err := j.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

// All that answers depend on is in the key.
func TestKey(t *testing.T) {
	key := func(change func(*Run)) string {
		r := begin(t, many(t, 2), &parrot{}, 1)
		change(r)
		return r.Key()
	}
	same := key(func(r *Run) { r.Clients, r.Suite.Name = 9, "other" })
	for name, change := range map[string]func(*Run){
		"suite": func(r *Run) { r.Suite = many(t, 3) }, "model": func(r *Run) { r.Who.Model = "x" }, "numerics": func(r *Run) { r.Who.Numerics = "n2" },
		"length": func(r *Run) { r.Settings.MaxTokens = 3 }, "choices": func(r *Run) { r.Settings.Choices = ByLetter },
		"temperature": func(r *Run) { r.Settings.Temperature = 0.5 }, "number of repeats": func(r *Run) { r.Settings.Repeats = 2 }, "control": func(r *Run) { r.ControlBy = "c" },
	} {
		if key(change) == same {
			t.Errorf("another %s has the same key", name)
		}
	}
	if same != key(func(*Run) {}) {
		t.Error("how many are asked at once, or the file's name, makes another key")
	}
}

func TestFailures(t *testing.T) {
	s := many(t, 10)
	refusing := func(text string) (Reply, error) {
		if strings.HasPrefix(text, "the 4 ") {
			return Reply{}, fmt.Errorf("well: %w", &RefusedError{errors.New("it is too long")})
		}
		r, err := echo(text)
		if strings.HasPrefix(text, "the 5 ") {
			r.Finish = "length"
		}
		return r, err
	}
	r := reportOf(t, begin(t, s, &parrot{say: refusing}, 4))
	if r.Failed != 1 || r.Truncated != 1 || r.Items[4].Failed != "it is too long" || r.Items[4].Text != "" || r.Scores["chrf"].N != 10 {
		t.Errorf("%+v", r)
	}
	for want, say := range map[string]func(string) (Reply, error){
		"item 0: the line is dead": func(string) (Reply, error) { return Reply{}, errors.New("the line is dead") },
		"the model was replaced":   func(string) (Reply, error) { return Reply{Numerics: "n2"}, nil },
	} {
		if _, err := begin(t, s, &parrot{say: say}, 1).Outcomes(t.Context(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	p := &parrot{say: func(text string) (Reply, error) { cancel(); return echo(text) }}
	if _, err := begin(t, s, p, 2).Outcomes(ctx, nil); !errors.Is(err, context.Canceled) || p.asked.Load() > 3 {
		t.Errorf("%v after %d questions", err, p.asked.Load())
	}
}

func TestSeveralAtATime(t *testing.T) {
	var together sync.WaitGroup
	together.Add(4)
	p := &parrot{say: func(text string) (Reply, error) {
		together.Done() // the first four wait for each other
		together.Wait()
		return echo(text)
	}}
	reportOf(t, begin(t, many(t, 4), p, 4))
	if p.mostOnce.Load() != 4 {
		t.Errorf("%d at a time", p.mostOnce.Load())
	}
}
