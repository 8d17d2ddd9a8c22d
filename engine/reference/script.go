package reference

import (
	"slices"

	"pgregory.net/rapid"

	"chimera/engine"
)

// This file owns random scripts: which rows a step computes, in which pages, and what becomes of pages between
// steps. A script is drawn once and played on every backend.

// script is all that is done with a case's models.
type script struct {
	*author
	models  []Model
	weights [][]Tensors          // of each model: those of each generation
	options []engine.LoadOptions // of each model
	jobs    []*job
	pools   [][]int32 // of each group: free pages
	acts    []act

	tolerance    []float64   // of each model's logits
	tapTolerance [][]float64 // of each model's taps, by element
}

// job is one sequence of one model.
type job struct {
	Sequence
	model  int
	born   engine.Generation // the newest one at its first step, which it keeps
	after  *job              // the encoder's: what it stores is read
	done   int               // positions that steps have computed
	tables []engine.PageTable
	want   [][]float64 // logits, (tokens, Vocab)
	taps   [][]float64 // (tokens, width of all taps)
}

// act is a step, or what is done to pages or weights between two.
type act struct {
	step    *step
	soil    []place // pages that belong to nobody
	move    *move
	replace *version // its weights become the newest
	retire  *version
}

// place is a page of a group.
type place struct {
	group int
	page  int32
}

// move gives a page's content to another.
type move struct {
	from     place
	to       int32
	exported bool // through the host, not by a copy
}

// step is a batch of one generation of one model.
type step struct {
	model      int
	generation engine.Generation
	background bool
	pieces     []piece
}

// piece is some rows of a sequence, with what is asked of them.
type piece struct {
	*job
	first, count int
	tables       []engine.PageTable
	outputs      []request
}

// request is one output of a position.
type request struct {
	position  int
	output    engine.Output
	penalties []engine.Penalty
	biases    []engine.Bias
	targets   []int32
}

func randomScript(t *rapid.T, models []Model) *script {
	s := &script{author: &author{T: t}, models: models}
	for _, m := range models {
		s.weights = append(s.weights, []Tensors{m.Tensors})
	}
	for range s.draw("sequences", 1, 4) {
		var encoder *job
		for m := range models {
			encoder = s.newJob(m, encoder)
		}
	}
	s.chooseOptions()
	for {
		ready := slices.DeleteFunc(slices.Clone(s.jobs), func(j *job) bool {
			return j.done == len(j.Tokens) || j.after != nil && j.after.done < len(j.after.Tokens)
		})
		if len(ready) == 0 {
			return s
		}
		s.addStep(ready)
		s.addMove()
		s.addReplacement()
	}
}

func (s *script) newJob(model int, after *job) *job {
	p := s.models[model].Program
	j := &job{model: model, after: after, tables: make([]engine.PageTable, len(p.Groups))}
	for range s.draw("tokens", 1, p.Context) {
		if s.chance("vector", 5) {
			j.Tokens = append(j.Tokens, engine.VectorRow(len(j.Vectors)))
			j.Vectors = append(j.Vectors, s.vectorRow(p.VectorWidth()))
		} else {
			j.Tokens = append(j.Tokens, int32(s.draw("token", 0, p.Vocab-1)))
		}
	}
	s.jobs = append(s.jobs, j)
	return j
}

func (s *script) vectorRow(width int) []float32 {
	row := make([]float32, width)
	for i := range row {
		row[i] = float32(s.between("element", -2, 2))
	}
	return row
}

// chooseOptions makes the limits as tight as the script allows.
func (s *script) chooseOptions() {
	s.pools = make([][]int32, len(s.models[0].Program.Groups))
	policy := engine.Policy{KV: engine.F32}
	if !s.models[0].floats {
		policy.KV = oneOf(s.author, "KV", engine.F16, engine.Q8_0, engine.F32)
	}
	var pages []int
	for g := range s.pools {
		n := s.draw("spare pages", 0, 2)
		for _, j := range s.jobs {
			n += (len(j.Tokens) + engine.PageTokens - 1) / engine.PageTokens
		}
		pages = append(pages, n)
		for i := range n {
			s.pools[g] = append(s.pools[g], int32(i))
			s.acts = append(s.acts, act{soil: []place{{g, int32(i)}}})
		}
	}
	for m, model := range s.models {
		o := engine.LoadOptions{Policy: policy, Pages: pages, MaxOutputs: s.draw("outputs of a step", 1, oneOf(s.author, "many outputs", 8, 40)), MaxTop: s.draw("top", 0, min(model.Program.Vocab, 5)),
			MaxTargets: s.draw("targets", 0, 20), MaxSequences: s.draw("sequences of a step", 1, len(s.jobs))}
		longest := 1
		for _, j := range s.jobs {
			if j.model == m {
				longest = max(longest, len(j.Tokens))
				o.MaxVectors = max(o.MaxVectors, len(j.Vectors))
			}
		}
		o.MaxContext, o.MaxTokens = longest, s.draw("tokens of a step", 1, longest+20)
		if s.whole() {
			o.MaxTokens = max(o.MaxTokens, longest)
		}
		s.options = append(s.options, o)
	}
}

// whole tells whether a sequence must be computed in one piece.
func (s *script) whole() bool {
	return slices.ContainsFunc(s.models[0].Program.Groups, func(g engine.Group) bool { return g.Mask == engine.Bidirectional })
}

// wholeRows is how many outputs of a step may ask for their whole row: no backend takes fewer.
const wholeRows = 16

// room is what a step still holds.
type room struct{ tokens, vectors, outputs, rows int }

// addStep computes rows of some of the jobs that are ready, all of one model.
func (s *script) addStep(ready []*job) {
	chosen := oneOf(s.author, "model", ready...)
	model, generation := chosen.model, s.generation(chosen)
	o := s.options[model]
	st, left := &step{model: model, generation: generation, background: s.chance("background", 20)}, room{o.MaxTokens, o.MaxVectors, o.MaxOutputs, wholeRows}
	for _, j := range rapid.Permutation(ready).Draw(s.T, "order") {
		n := min(len(j.Tokens)-j.done, left.tokens)
		if j.model != model || s.generation(j) != generation || len(st.pieces) == o.MaxSequences || n < 1 || s.whole() && n < len(j.Tokens) || len(j.Vectors) > left.vectors {
			continue
		}
		if len(st.pieces) > 0 && s.chance("left out", 30) {
			continue
		}
		if !s.whole() {
			n = s.draw("rows", 1, n)
		}
		st.pieces = append(st.pieces, s.addPiece(j, n, &left))
	}
	s.acts = append(s.acts, act{step: st})
	for _, p := range st.pieces {
		s.leave(p.job)
	}
}

// addPiece computes the next n rows of a job.
func (s *script) addPiece(j *job, n int, left *room) piece {
	p := piece{job: j, first: j.done, count: n}
	j.born = s.generation(j)
	j.done += n
	left.tokens, left.vectors = left.tokens-n, left.vectors-len(j.Vectors)
	for g, group := range s.models[j.model].Program.Groups {
		s.turnPages(j, g, group, p.first)
		t := j.tables[g]
		t.Pages = slices.Clone(t.Pages)
		p.tables = append(p.tables, t)
	}
	if s.hasHead(j.model) {
		for at := p.first; at < j.done && left.outputs > 0; at++ {
			if s.chance("asked", 60) {
				p.outputs = append(p.outputs, s.request(j, at, left))
			}
		}
	}
	return p
}

// request asks for what may be asked of a row, as far as the step holds it.
func (s *script) request(j *job, position int, left *room) request {
	vocab, o := s.models[j.model].Program.Vocab, s.options[j.model]
	r := request{position: position}
	r.output = engine.Output{
		Target: int32(s.draw("target", 0, vocab-1)), Top: int32(s.draw("top", 0, o.MaxTop)),
		Temperature: oneOf(s.author, "temperature", float32(0), 0, 1, 0.3, 2.5), TopK: oneOf(s.author, "top-k", int32(0), 0, 1, 3, 20),
		TopP: oneOf(s.author, "top-p", float32(1), 1, 0.9, 0.5), MinP: oneOf(s.author, "min-p", float32(0), 0, 0.05, 0.3),
		Repetition: oneOf(s.author, "repetition", float32(1), 1.3), Presence: oneOf(s.author, "presence", float32(0), 0.7),
		Frequency: oneOf(s.author, "frequency", float32(0), 0.4), Choice: int32(s.draw("choice", 0, 3)), Seed: rapid.Uint64().Draw(s.T, "seed"),
	}
	for _, mode := range []engine.OutputMode{engine.Sample, engine.Score, engine.WholeRow, engine.LogSumExp, engine.Rank} {
		if s.chance("mode", 70) {
			r.output.Mode |= mode
		}
	}
	if s.models[j.model].Program.TapWidth() > 0 && r.output.Seed%2 == 0 { // nothing more is drawn: see perhapsTap
		r.output.Mode |= engine.Tapped
	}
	left.outputs--
	if left.rows == 0 {
		r.output.Mode &^= engine.WholeRow
	} else if r.output.Mode&engine.WholeRow != 0 {
		left.rows--
	}
	for range s.draw("penalties", 0, min(2, o.MaxSequences*min(o.MaxContext, vocab)/o.MaxOutputs)) {
		r.penalties = append(r.penalties, engine.Penalty{Token: int32(s.draw("token", 0, vocab-1)), Seen: int32(s.draw("seen", 0, 2)), Generated: int32(s.draw("generated", 0, 2))})
	}
	for range s.draw("biases", 0, 2) {
		r.biases = append(r.biases, engine.Bias{Token: int32(s.draw("token", 0, vocab-1)), Value: float32(s.between("bias", -3, 3))})
	}
	for range s.draw("targets", 0, o.MaxTargets/o.MaxOutputs) {
		r.targets = append(r.targets, int32(s.draw("target", 0, vocab-1)))
	}
	if r.output.Mode&engine.Tapped != 0 && r.output.Seed%4 == 0 {
		r.output.Mode, r.output.Top, r.targets = engine.Tapped, 0, nil
	}
	return r
}

func (s *script) hasHead(model int) bool {
	ops := s.models[model].Program.Ops
	_, head := ops[len(ops)-1].(engine.Head)
	return head
}

// turnPages gives away the pages that no query sees any more and takes those that are written next.
func (s *script) turnPages(j *job, g int, group engine.Group, first int) {
	t := &j.tables[g]
	if group.Mask == engine.Cross && j.after != nil {
		*t = j.after.tables[g] // as the encoder left it
		return
	}
	from, _ := visible(group, first, 0)
	need, most := (j.done+engine.PageTokens-1)/engine.PageTokens, group.PagesFor(s.options[j.model].MaxContext, s.options[j.model].MaxTokens)
	if gone := from/engine.PageTokens - t.Base; gone > 0 && (need-t.Base > most || s.chance("given away", 70)) {
		s.free(g, t.Pages[:gone])
		t.Pages, t.Base = t.Pages[gone:], t.Base+gone
	}
	t.Length = j.done
	for t.Base+len(t.Pages) < need {
		t.Pages = append(t.Pages, s.take(g))
	}
	if len(t.Pages) < most && (t.Base+len(t.Pages))*engine.PageTokens < len(j.Tokens) && s.chance("ahead of need", 20) {
		t.Pages = append(t.Pages, s.take(g))
	}
}

func (s *script) take(g int) int32 {
	i := s.draw("page", 0, len(s.pools[g])-1)
	page := s.pools[g][i]
	s.pools[g] = slices.Delete(s.pools[g], i, i+1)
	return page
}

// free gives pages back, and soils them, so that whoever reads what it has not written is seen.
func (s *script) free(g int, pages []int32) {
	var soil []place
	for _, p := range pages {
		soil = append(soil, place{g, p})
	}
	s.pools[g] = append(s.pools[g], pages...)
	s.acts = append(s.acts, act{soil: soil})
}

// leave frees the pages of a job that has ended, but for those that another reads.
func (s *script) leave(j *job) {
	if j.done < len(j.Tokens) {
		return
	}
	read := slices.ContainsFunc(s.jobs, func(other *job) bool { return other.after == j })
	for g, group := range s.models[j.model].Program.Groups {
		if group.Mask != engine.Cross || !read {
			s.free(g, j.tables[g].Pages)
			j.tables[g].Pages = nil
		}
	}
}

// addMove moves a page of a job that is under way.
func (s *script) addMove() {
	g := s.draw("group", 0, len(s.pools)-1)
	j := oneOf(s.author, "job", s.jobs...)
	pages := j.tables[g].Pages
	if len(pages) == 0 || len(s.pools[g]) == 0 || j.done == len(j.Tokens) || !s.chance("move", 30) {
		return
	}
	if group := s.models[0].Program.Groups[g]; group.Mask == engine.Cross && j.after != nil {
		return // the encoder's
	}
	i := s.draw("index", 0, len(pages)-1)
	m := &move{from: place{g, pages[i]}, to: s.take(g), exported: s.chance("exported", 50)}
	s.acts = append(s.acts, act{move: m})
	s.free(g, []int32{pages[i]})
	pages[i] = m.to
}
