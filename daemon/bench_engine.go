package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"chimera/config"
	"chimera/engine"
	"chimera/loader"
)

// This file owns the speed of the engine alone: steps of a chosen shape, without scheduler or network.

// EngineSteps are steps of one shape: some rows that decode, each of a sequence of its own, and rows of prompts beside them.
type EngineSteps struct {
	Decode int // rows
	Depth  int // the first position of an answer
	Answer int // its length: the rows are at all parts of it alike, and go on by one each step
	Prompt int // rows of prompts in each step
	Length int // of a prompt: a step has as many whole ones as it can, and one piece
	Count  int // steps in a round
}

// String is as --rows takes it.
func (s EngineSteps) String() string {
	text := strconv.Itoa(s.Decode)
	if s.Prompt > 0 {
		text += "+" + strconv.Itoa(s.Prompt)
	}
	return text
}

// rows is how many rows a step has.
func (s EngineSteps) rows() int { return s.Decode + s.Prompt }

// prompts is in how many sequences the rows of prompts are.
func (s EngineSteps) prompts() int {
	if s.Prompt == 0 {
		return 0
	}
	return (s.Prompt + s.Length - 1) / s.Length
}

// positions is how long the longest sequence is.
func (s EngineSteps) positions() int {
	longest := min(s.Prompt, s.Length)
	if s.Prompt%max(s.Length, 1) != 0 {
		longest = s.Length
	}
	if s.Decode > 0 {
		longest = max(longest, s.Depth+s.Answer)
	}
	return longest
}

// EngineServe is a load of a closed loop, in tokens, that the engine alone is to bear.
type EngineServe struct {
	Clients int `json:"clients"`
	Prompt  int `json:"prompt"`
	Answer  int `json:"answer"`
}

// Steps are those of a scheduler that loses nothing, for one answer of each client. An answer takes a step for each of its
// tokens, so Answer steps do, and no fewer, each with a row that gives a token for each client. The first of these rows is the
// prompt's last; all others of the prompts are shared out equally, which makes no step longer than it must be.
func (s EngineServe) Steps() (list []EngineSteps) {
	others := s.Clients * (s.Prompt - 1)
	for extra, count := range []int{s.Answer - others%s.Answer, others % s.Answer} {
		if count > 0 {
			list = append(list, EngineSteps{
				Decode: s.Clients, Depth: s.Prompt - 1, Answer: s.Answer, Prompt: others/s.Answer + extra, Length: max(s.Prompt-1, 1), Count: count,
			})
		}
	}
	return list
}

// EngineBench is what chimera bench engine measures.
type EngineBench struct {
	Model    string
	Prefill  EngineSteps // reported by name, as the next
	Decode   EngineSteps
	Others   []EngineSteps
	Serve    []EngineServe
	Rounds   int
	Progress func(done, total int)
}

// EngineReport is what chimera bench engine prints: best and median of the rounds.
type EngineReport struct {
	Prefill     float64       `json:"prefill_tokens_per_second"` // the best round's, as the next
	Decode      float64       `json:"decode_tokens_per_second"`  // all rows together
	PackedBytes int64         `json:"packed_bytes"`              // of the weights, as steps read them
	FileBytes   int64         `json:"file_bytes"`
	Read        float64       `json:"read_gb_per_second"` // of weights, by the steps that decode
	Limits      *EngineLimits `json:"limits"`             // null where the backend can't tell, as the next
	Phases      []EnginePhase `json:"phases"`
	Steps       []EngineSpeed `json:"steps"`
	Serve       []ServeSpeed  `json:"serve,omitempty"`
}

// EngineSpeed is how fast steps of a shape are.
type EngineSpeed struct {
	Rows         string  `json:"rows"`
	Depth        int     `json:"depth"` // of the rows that decode, mean
	Best         float64 `json:"best_ms_per_step"`
	Median       float64 `json:"median_ms_per_step"`
	BestTokens   float64 `json:"best_tokens_per_second"` // rows of prompts count as well
	MedianTokens float64 `json:"median_tokens_per_second"`
}

// ServeSpeed is what the engine alone makes of a load.
type ServeSpeed struct {
	EngineServe
	Rows   []string `json:"rows"`
	Best   float64  `json:"best_qps"`
	Median float64  `json:"median_qps"`
}

// all are the steps to measure.
func (b EngineBench) all() []EngineSteps {
	list := append([]EngineSteps{b.Prefill, b.Decode}, b.Others...)
	for _, s := range b.Serve {
		list = append(list, s.Steps()...)
	}
	return list
}

// BenchEngine loads a model and measures.
func BenchEngine(ctx context.Context, c *config.Config, b EngineBench) (r *EngineReport, err error) {
	l, err := b.load(c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	s, err := newStepper(l.Instance)
	if err != nil {
		return nil, err
	}
	times, err := b.measure(ctx, s)
	if err != nil {
		return nil, err
	}
	r = b.report(times)
	r.packed(l.Instance.Plan(), l.File.Bytes(), b.Decode)
	return r, b.profile(ctx, s, r)
}

// load brings the model up with room for the steps: each sequence has pages of its own, as if all were served.
func (b EngineBench) load(c *config.Config) (*loader.Loaded, error) {
	f, p, err := loader.Open(b.Model)
	if err != nil {
		return nil, err
	}
	o := offlineOptions(c)
	o.StepTokens = 1
	positions := 0
	for _, s := range b.all() {
		o.StepTokens, o.MaxSequences = max(o.StepTokens, s.rows()), max(o.MaxSequences, s.Decode+s.prompts())
		positions = max(positions, s.positions())
	}
	o.Contexts = o.MaxSequences
	switch {
	case o.Context == 0 && positions > p.Context:
		err = fmt.Errorf("the steps reach position %d, the model was trained for %d: choose shorter prompts, answers or depths", positions, p.Context)
	case o.Context == 0:
		o.Context = positions
	case positions > o.Context:
		err = fmt.Errorf("the steps reach position %d, and ctx is %d: leave it out, or choose shorter prompts, answers or depths", positions, o.Context)
	}
	if err != nil {
		return nil, errors.Join(&config.Error{Err: err}, f.Close())
	}
	l, err := loader.LoadOpened(f, p, o)
	if full := (*loader.NoRoomError)(nil); errors.As(err, &full) {
		err = fmt.Errorf("%w, or measure steps of fewer rows and shorter answers: each row that decodes has a context of %d tokens to itself", err, o.Context)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// measure returns the time of a step, by steps and round. The shapes take turns, so that a noisy machine is noisy for all.
func (b EngineBench) measure(ctx context.Context, s *stepper) (times [][]time.Duration, err error) {
	all := b.all()
	times = make([][]time.Duration, len(all))
	for round := range b.Rounds {
		for i, steps := range all {
			if round == 0 { // caches and clocks are warm behind it
				if _, err := s.run(ctx, steps, min(2, steps.Count)); err != nil {
					return nil, err
				}
			}
			took, err := s.run(ctx, steps, steps.Count)
			if err != nil {
				return nil, err
			}
			times[i] = append(times[i], took/time.Duration(steps.Count))
			b.Progress(round*len(all)+i+1, b.Rounds*len(all))
		}
	}
	return times, nil
}

// report turns times of steps into speeds.
func (b EngineBench) report(times [][]time.Duration) *EngineReport {
	r, all := &EngineReport{}, b.all()
	named := 2 + len(b.Others)
	for i, s := range all[:named] {
		best, median := slices.Min(times[i]).Seconds(), middle(times[i]).Seconds()
		speed := EngineSpeed{Rows: s.String(), Best: best * 1000, Median: median * 1000, BestTokens: float64(s.rows()) / best, MedianTokens: float64(s.rows()) / median}
		if s.Decode > 0 {
			speed.Depth = s.Depth + s.Answer/2
		}
		r.Steps = append(r.Steps, speed)
	}
	r.Prefill, r.Decode = r.Steps[0].BestTokens, r.Steps[1].BestTokens
	at := named
	for _, s := range b.Serve {
		speed := ServeSpeed{EngineServe: s}
		cycles := make([]time.Duration, b.Rounds)
		for _, steps := range s.Steps() {
			speed.Rows = append(speed.Rows, fmt.Sprintf("%dx %s", steps.Count, steps))
			for round, took := range times[at] {
				cycles[round] += took * time.Duration(steps.Count)
			}
			at++
		}
		speed.Best, speed.Median = float64(s.Clients)/slices.Min(cycles).Seconds(), float64(s.Clients)/middle(cycles).Seconds()
		r.Serve = append(r.Serve, speed)
	}
	return r
}

// middle is the median; of an even number of times the slower one of the two.
func middle(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// stepper computes steps of any shape on an instance.
type stepper struct {
	in     engine.Instance
	batch  *engine.Batch
	tables []engine.PageTable // (groups)
	tokens []int32            // (rows), any ids: what is computed does not depend on them
}

func newStepper(in engine.Instance) (*stepper, error) {
	b, err := in.NewBatch()
	if err != nil {
		return nil, err
	}
	l := in.Limits()
	s := &stepper{in: in, batch: b, tables: make([]engine.PageTable, len(l.Groups)), tokens: make([]int32, l.MaxTokens)}
	for i := range s.tokens {
		s.tokens[i] = int32(i * 7919 % l.Vocab)
	}
	return s, nil
}

// run computes steps and returns what the engine took: filling a batch is the scheduler's work.
func (s *stepper) run(ctx context.Context, steps EngineSteps, count int) (took time.Duration, err error) {
	for i := range count {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := s.fill(steps, i); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := s.in.Submit(s.batch); err != nil {
			return 0, err
		}
		if err := s.in.Wait(); err != nil {
			return 0, err
		}
		took += time.Since(began)
	}
	return took, nil
}

// fill makes the i-th step: a token for each row that decodes, none for those of prompts unless they are alone.
func (s *stepper) fill(steps EngineSteps, i int) error {
	s.batch.Reset()
	s.batch.Generation = s.in.Generation()
	for row := range steps.Decode {
		position := steps.Depth + (row*steps.Answer/steps.Decode+i)%steps.Answer
		if err := s.add(row, s.tokens[row:row+1], position); err != nil {
			return err
		}
		if _, err := s.batch.AddOutput(engine.Output{Row: int32(row), Mode: engine.Sample}, nil, nil); err != nil {
			return err
		}
	}
	for left, sequence := steps.Prompt, steps.Decode; left > 0; sequence++ {
		n := min(left, steps.Length)
		if err := s.add(sequence, s.tokens[:n], (steps.Length-n)/2); err != nil { // a piece is from the prompt's middle
			return err
		}
		left -= n
	}
	if steps.Decode > 0 {
		return nil
	}
	_, err := s.batch.AddOutput(engine.Output{Row: int32(steps.Prompt - 1), Mode: engine.Sample}, nil, nil)
	return err
}

// add puts tokens of a sequence at positions from first on. It has pages, or slots, that no other has; those of a window come
// round again when nobody sees them any more.
func (s *stepper) add(sequence int, tokens []int32, first int) error {
	l := s.in.Limits()
	for g, group := range l.Groups {
		own := group.PagesFor(l.MaxContext, l.MaxTokens)
		t := &s.tables[g]
		t.Base, t.Pages = group.FirstSeen(first)/engine.PageTokens, t.Pages[:0]
		if group.Slots {
			read, write := int32(2*sequence+1-first%2), int32(2*sequence+first%2)
			if first == 0 {
				read = engine.NoSlot
			}
			t.Base, t.Pages = 0, append(t.Pages, read, write)
			continue
		}
		for page := t.Base; page*engine.PageTokens < first+len(tokens); page++ {
			t.Pages = append(t.Pages, int32(sequence*own+page%own))
		}
	}
	_, err := s.batch.AddSequence(tokens, first, s.tables)
	return err
}
