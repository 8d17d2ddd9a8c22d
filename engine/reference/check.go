package reference

import (
	"bytes"
	"flag"
	"fmt"
	"slices"
	"sort"
	"testing"

	"pgregory.net/rapid"

	"chimera/engine"
)

// This file owns Check: it plays scripts on backends and holds what they answer to what is expected.

// A test must end alike each time: the seed is fixed and no file of failures is written. More is tried by
// `-rapid.seed=0 -rapid.checks=100000`.
func init() {
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "400", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
}

// Check runs random programs on the backends, in random batches and pages, and holds each to the evaluation in float64
// and all to the same bytes. Pages that nobody owns are full of NaN.
func Check(t *testing.T, backends ...engine.Backend) {
	var tolerances []float64
	rapid.Check(t, func(t *rapid.T) {
		s := randomScript(t, randomModels(t))
		s.expect(s.evaluators())
		rows := map[string][]float32{}
		for _, b := range backends {
			play(t, s, b, rows)
		}
		tolerances = append(tolerances, s.relativeTolerance())
	})
	checkTolerances(t, tolerances)
}

// evaluators are one for each generation of each model.
func (s *script) evaluators() [][]*Evaluator {
	all := make([][]*Evaluator, len(s.models))
	for m, model := range s.models {
		for _, tensors := range s.weights[m] {
			e, err := New(model.Program, tensors, s.options[m].Policy)
			if err != nil {
				s.Fatal(err)
			}
			all[m] = append(all[m], e)
		}
	}
	return all
}

// relativeTolerance is the last model's, as a part of how much the logits of a row differ among themselves.
func (s *script) relativeTolerance() float64 {
	widest := 0.0
	for _, j := range s.jobs {
		for _, row := range j.want {
			widest = max(widest, slices.Max(row)-slices.Min(row))
		}
	}
	return s.tolerance[len(s.tolerance)-1] / widest
}

// checkTolerances wants most programs to be known well, since a tolerance as large as the logits would prove nothing.
func checkTolerances(t *testing.T, all []float64) {
	if t.Failed() || len(all) == 0 {
		return
	}
	sort.Float64s(all)
	at := func(part float64) float64 { return all[int(part*float64(len(all)-1))] }
	t.Logf("%d programs; tolerance of the logits' range: at most %.1g for 40%%, %.1g for 75%%, %.1g for 95%%", len(all), at(0.4), at(0.75), at(0.95))
	if at(0.4) > 1e-4 || at(0.75) > 2e-2 {
		t.Errorf("the tolerances are too wide to prove anything")
	}
}

// player plays a script on one backend.
type player struct {
	*rapid.T
	*script
	backend   engine.Backend
	instances []engine.Instance // of each model
	batches   []*engine.Batch
	rows      map[string][]float32 // whole rows, as the first backend computed them
}

func play(t *rapid.T, s *script, b engine.Backend, rows map[string][]float32) {
	p := &player{T: t, script: s, backend: b, rows: rows}
	defer p.close()
	p.load()
	for _, a := range s.acts {
		switch {
		case a.step != nil:
			p.step(a.step)
		case a.move != nil:
			p.move(a.move)
		case a.replace != nil:
			p.replace(*a.replace)
		case a.retire != nil:
			p.must(p.instances[a.retire.model].Retire(a.retire.generation), "retire")
		}
		for _, at := range a.soil {
			p.soil(at)
		}
	}
}

// must ends the check on an error.
func (p *player) must(err error, what string) {
	if err != nil {
		p.Fatalf("%s: %s: %v", p.backend.Name(), what, err)
	}
}

// load loads the last model first: the pages are its, and the encoder's borrowed.
func (p *player) load() {
	p.instances, p.batches = make([]engine.Instance, len(p.models)), make([]*engine.Batch, len(p.models))
	for m := len(p.models) - 1; m >= 0; m-- {
		o := p.options[m]
		if m < len(p.models)-1 {
			o.Share = p.instances[m+1]
		}
		in, err := p.backend.Load(p.models[m].Program, p.models[m].Tensors, o)
		p.must(err, "load")
		p.instances[m] = in
		p.batches[m], err = in.NewBatch()
		p.must(err, "new batch")
	}
}

func (p *player) close() {
	for _, in := range p.instances {
		if in != nil {
			if err := in.Close(); err != nil {
				p.Errorf("%s: close: %v", p.backend.Name(), err)
			}
		}
	}
}

// pages is the instance that the pages are.
func (p *player) pages() engine.Instance { return p.instances[len(p.instances)-1] }

// soil fills a page with what is NaN in every KV type.
func (p *player) soil(at place) {
	page := bytes.Repeat([]byte{0xff}, int(p.pages().Limits().Groups[at.group].PageBytes))
	ticket, err := p.pages().Import(engine.GroupID(at.group+1), at.page, page)
	p.must(err, "import")
	p.must(ticket.Wait(), "import")
}

func (p *player) move(m *move) {
	g := engine.GroupID(m.from.group + 1)
	if !m.exported {
		p.must(p.pages().CopyPages(g, []engine.PageCopy{{From: m.from.page, To: m.to}}), "copy")
		return
	}
	page := make([]byte, p.pages().Limits().Groups[m.from.group].PageBytes)
	ticket, err := p.pages().Export(g, m.from.page, page)
	p.must(err, "export")
	p.must(ticket.Wait(), "export")
	ticket, err = p.pages().Import(g, m.to, page)
	p.must(err, "import")
	p.must(ticket.Wait(), "import")
}

func (p *player) replace(v version) {
	in := p.instances[v.model]
	g, err := in.Replace(p.weights[v.model][v.generation-1], func(int64, int64) {})
	p.must(err, "replace")
	if g != v.generation || in.Generation() != g {
		p.Fatalf("%s: Replace made generation %d, and %d is the newest, want %d", p.backend.Name(), g, in.Generation(), v.generation)
	}
}

func (p *player) step(s *step) {
	b, in := p.batches[s.model], p.instances[s.model]
	b.Reset()
	b.Generation, b.Background = s.generation, s.background
	for _, piece := range s.pieces {
		p.add(b, piece)
	}
	if most := in.Limits().BackgroundRows; most > 0 && len(b.Tokens) > most {
		b.Background = false
	}
	p.must(in.Submit(b), "submit")
	p.must(in.Wait(), "wait")
	index := 0
	for _, piece := range s.pieces {
		for _, r := range piece.outputs {
			a := answer{player: p, b: b, index: index, job: piece.job, request: r}
			a.check()
			index++
		}
	}
}

func (p *player) add(b *engine.Batch, piece piece) {
	var tokens []int32
	for _, token := range piece.Tokens[piece.first:][:piece.count] {
		if token < 0 {
			var err error
			token, err = b.AddVector(piece.Vectors[token-engine.VectorRow(0)])
			p.must(err, "vector")
		}
		tokens = append(tokens, token)
	}
	row, err := b.AddSequence(tokens, piece.first, piece.tables)
	p.must(err, "sequence")
	for _, r := range piece.outputs {
		r.output.Row = int32(row + r.position - piece.first)
		_, err := b.AddOutput(r.output, r.penalties, r.biases, r.targets...)
		p.must(err, fmt.Sprintf("output %+v", r.output))
	}
}
