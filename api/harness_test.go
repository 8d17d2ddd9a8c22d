package api

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"chimera/chat"
	"chimera/engine"
	"chimera/scheduler"
	"chimera/tokenizer"
)

// This file owns what the tests serve: the real handlers, scheduler, tokenizer and chat template over an
// instance without arithmetic, whose next token is a function of the tokens before it.

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// The vocabulary: id b is byte b, then the pieces, then the special tokens.
var (
	pieces = []string{
		"aa", "ab", "ba", "bb", "abab", "bab", " a", " b", "é", "\xc3\xa9a", "a\xc3", "\xa9b", "\xf0\x9f", "\x99\x82",
		"\xf0\x9f\x99", "\x82b", "🙂", "中", "\xe4\xb8", "\xad文", "stop", "st", "op", "\n\n",
	}
	specials = []string{"<s>", "</s>", "<|im_start|>", "<|im_end|>"}
	bos      = int32(256 + len(pieces))
	eos      = bos + 1
	imEnd    = bos + 3
	vocab    = int(bos) + len(specials)
)

// keyOf is an id as a file has it.
func keyOf(id int32) *int64 {
	wide := int64(id)
	return &wide
}

// newVocabulary spells the pieces in the alphabet of byte-level vocabularies; changes have the last word.
func newVocabulary(t testing.TB, changes ...func(*tokenizer.Vocab)) *tokenizer.Tokenizer {
	t.Helper()
	alphabet, next := [256]string{}, rune(0x100)
	for b := range rune(256) {
		if b < '!' || b > '~' && b < 0xA1 || b == 0xAD {
			alphabet[b] = string(next)
			next++
		} else {
			alphabet[b] = string(b)
		}
	}
	v := tokenizer.Vocab{Model: "gpt2", Pre: "gpt-2", Tokens: alphabet[:], BOS: keyOf(bos), EOS: keyOf(eos), EOT: keyOf(imEnd), AddBOS: new(bool)}
	*v.AddBOS = true
	v.Merges = []string{"st op"} // one must be there; no text gets as far
	v.Types = make([]int32, 256, vocab)
	for _, p := range pieces {
		var spelled strings.Builder
		for _, b := range []byte(p) {
			spelled.WriteString(alphabet[b])
		}
		v.Tokens = append(v.Tokens, spelled.String())
		v.Types = append(v.Types, 1)
	}
	for _, s := range specials {
		v.Tokens = append(v.Tokens, s)
		v.Types = append(v.Types, 3) // control
	}
	for i := range 256 {
		v.Types[i] = 1
	}
	for _, change := range changes {
		change(&v)
	}
	tok, err := tokenizer.New(v)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// echoInstance keeps the tokens of each page instead of K and V, and answers with next of the history.
type echoInstance struct {
	engine.Instance // what a server that has one model doesn't ask for
	limits          engine.Limits
	pages           [][engine.PageTokens]int32

	mu   sync.Mutex
	next func(history []int32) int32
	sure func(history []int32) float32 // logit of what it answers; nil: 0
	fail func(step int) error          // nil: never
	gate chan struct{}                 // a step waits for it; closed: none does

	digest string // of its weights; "": echo
	spoilt int32  // a token whose state is no number; 0: none has one
	asked  string // of what is sampled: 1 where the log-probability is

	computing atomic.Bool // a step is under way
	steps     int
	batch     *engine.Batch
}

// Log-probabilities of the instance: the token of rank r has logit -r/2, so any row sums to the same.
var logSumExp = float32(math.Log(1 / (1 - math.Exp(-0.5))))

func rankLogprob(rank int) float32 { return -float32(rank)/2 - logSumExp }

func (in *echoInstance) Limits() engine.Limits { return in.limits }
func (in *echoInstance) Plan() *engine.Plan    { return &engine.Plan{} }
func (in *echoInstance) NewBatch() (*engine.Batch, error) {
	l := in.limits
	return engine.NewBatch(l, engine.BatchArrays{
		Tokens: make([]int32, l.MaxTokens), Positions: make([]int32, l.MaxTokens), Pages: make([]int32, l.MaxSequences*l.Groups[0].Pages),
		Sequences: make([]engine.SequenceRows, l.MaxSequences), Tables: make([]engine.Table, l.MaxSequences),
		Outputs:   make([]engine.Output, l.MaxOutputs),
		Penalties: make([]engine.Penalty, 4*l.MaxContext), Biases: make([]engine.Bias, maxBiases),
		Results: make([]engine.Result, l.MaxOutputs), Top: make([]engine.TopToken, l.MaxOutputs*l.MaxTop), Taps: make([]float32, l.MaxTaps*l.TapWidth),
	}), nil
}
func (in *echoInstance) Submit(b *engine.Batch) error    { in.batch = b; return nil }
func (in *echoInstance) Generation() engine.Generation   { return 1 }
func (in *echoInstance) Digest(engine.Generation) string { return cmp.Or(in.digest, "echo") }
func (in *echoInstance) Close() error                    { return nil }

func (in *echoInstance) CopyPages(_ engine.GroupID, copies []engine.PageCopy) error {
	for _, c := range copies {
		in.pages[c.To] = in.pages[c.From]
	}
	return nil
}

func (in *echoInstance) Wait() error {
	in.mu.Lock()
	gate := in.gate
	in.mu.Unlock()
	in.computing.Store(true)
	defer in.computing.Store(false)
	<-gate
	in.mu.Lock()
	defer in.mu.Unlock()
	in.steps++
	if in.fail != nil {
		if err := in.fail(in.steps); err != nil {
			return err
		}
	}
	b := in.batch
	histories := make([][]int32, len(b.Tokens)) // what each row has seen, itself included
	for i, s := range b.Sequences {
		table := b.Pages[b.Tables[i].First:][:b.Tables[i].Count]
		for row := s.FirstToken; row < s.FirstToken+s.TokenCount; row++ {
			at := b.Positions[row]
			in.pages[table[at/engine.PageTokens]][at%engine.PageTokens] = b.Tokens[row]
		}
		var whole []int32
		for _, p := range table {
			whole = append(whole, in.pages[p][:]...)
		}
		for row := s.FirstToken; row < s.FirstToken+s.TokenCount; row++ {
			histories[row] = whole[:b.Positions[row]+1]
		}
	}
	for i, o := range b.Outputs {
		best := unmasked(in.next(histories[o.Row]), b.Biases[o.FirstBias:][:o.BiasCount])
		b.Results[i] = engine.Result{Token: best}
		if in.sure != nil {
			b.Results[i].Logit = in.sure(histories[o.Row])
		}
		if o.Mode&engine.Score != 0 {
			rank := (o.Target - best + int32(vocab)) % int32(vocab)
			b.Results[i] = engine.Result{Token: o.Target, Rank: rank, TargetLogit: -float32(rank) / 2}
		}
		if o.Mode&engine.Sample != 0 {
			in.asked += map[bool]string{true: "1", false: "0"}[o.Mode&engine.LogSumExp != 0]
		}
		if o.Mode&engine.LogSumExp != 0 {
			b.Results[i].LogSumExp = logSumExp
		}
		if state := b.TapsOf(i); state != nil {
			state[0], state[1] = float32(b.Tokens[o.Row]), float32(b.Positions[o.Row])
			if in.spoilt > 0 && b.Tokens[o.Row] == in.spoilt {
				state[1] = float32(math.NaN())
			}
		}
		for k := range b.TopOf(i) {
			b.TopOf(i)[k] = engine.TopToken{Token: (best + int32(k)) % int32(vocab), Logit: -float32(k) / 2}
		}
	}
	return nil
}

// unmasked is the token, or the next one that no bias keeps out.
func unmasked(token int32, biases []engine.Bias) int32 {
	for slices.ContainsFunc(biases, func(b engine.Bias) bool { return b.Token == token && math.IsInf(float64(b.Value), -1) }) {
		token = (token + 1) % int32(vocab)
	}
	return token
}

// template renders ChatML, as the daemon does from a model's file.
type template struct{ *chat.Template }

func (t template) Render(context jsontext.Value) (Rendered, error) {
	prompt, err := t.Template.Render(context)
	return Rendered(prompt), err
}

type names struct {
	list   []string
	loaded *Model
}

func (n names) Names() []string { return n.list }
func (n names) States() (list []ModelState) {
	for _, name := range n.list {
		state := ModelState{Name: name, State: StateConfigured}
		if name == n.loaded.Name {
			state.State = StateReady
		}
		list = append(list, state)
	}
	return list
}

// Hold is never waited for: a model that is not loaded stays so.
func (n names) Hold(ctx context.Context, name string, _ Wait) (Held, error) {
	switch m, known := n.Lookup(name); {
	case m != nil:
		return Held{m, ctx, func() {}}, nil
	case known:
		return Held{}, Loading(name, 42, 0)
	}
	return Held{}, ErrNoModel
}

func (n names) Lookup(name string) (*Model, bool) {
	if name == "" || name == n.loaded.Name {
		return n.loaded, true
	}
	for _, known := range n.list {
		if name == known {
			return nil, true
		}
	}
	return nil, false
}

// bench is a server under test.
type bench struct {
	*Server
	t         testing.TB
	model     *Model
	instance  *echoInstance
	scheduler *scheduler.Lane
	client    context.Context // of the next requests
	ready     func(context.Context) error
	ended     chan struct{}
	streaming atomic.Bool // an answer has begun to stream
}

const (
	benchContext = 256
	benchQueue   = 64
	benchBody    = 2 << 20
)

// lanesOf is one lane for the metrics.
func lanesOf(s *scheduler.Lane) func() []LaneState {
	return func() []LaneState { return []LaneState{{"first", s.Snapshot()}} }
}

// newBench starts a server whose answers are next's tokens.
func newBench(t testing.TB, next func(history []int32) int32) *bench {
	t.Helper()
	open := make(chan struct{})
	close(open)
	in := &echoInstance{next: next, gate: open, limits: engine.Limits{
		MaxTokens: 64, MaxSequences: 8, MaxOutputs: 64, MaxTop: 20, MaxContext: benchContext,
		Groups: []engine.GroupLimits{{Name: "full", Pages: 8 * benchContext / engine.PageTokens, Mask: engine.Causal}}, Vocab: vocab, Depth: 1,
		MaxTaps: 16, TapWidth: 2, // of a state: the token and its position
	}}
	in.pages = make([][engine.PageTokens]int32, in.limits.Groups[0].Pages)
	loop := scheduler.NewLoop(scheduler.LoopConfig{})
	s, err := loop.Add(in, scheduler.Config{StepTokens: 48, QueueLength: benchQueue})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := chat.ByName("chatml")
	render, err := chat.New(chat.Sources{Default: source, BOS: "<s>", EOS: "</s>"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	h := &bench{t: t, instance: in, scheduler: s, client: context.Background(), ended: make(chan struct{})}
	h.ready = func(context.Context) error { return nil }
	h.model = &Model{
		Name: "first", Created: time.Unix(1e9, 0), Tokenizer: newVocabulary(t), Template: template{render}, Engine: s,
		MaxContext: benchContext, MaxLogprobs: in.limits.MaxTop, StateWidth: in.limits.TapWidth, Numerics: func(weights string) string { return "fp_" + cmp.Or(weights, "test") }, Tier: func(weights string) string { return "tier_" + cmp.Or(weights, "test") },
	}
	h.Server = New(Config{
		Registry: names{[]string{"first", "second"}, h.model}, Metrics: NewMetrics(lanesOf(s)),
		RequestContext: func(*fasthttp.RequestCtx) context.Context { return h.client },
		Ready:          func(ctx context.Context) error { return h.ready(ctx) }, MaxBody: benchBody,
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_ = loop.Run(ctx) // what tests fail on purpose is seen by the clients
	}()
	go func() {
		<-s.Done()
		close(h.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-h.ended
	})
	return h
}

// answer changes what the next requests are answered with.
func (h *bench) answer(next func(history []int32) int32) {
	h.instance.mu.Lock()
	defer h.instance.mu.Unlock()
	h.instance.next = next
}

// says answers every prompt with these tokens, then with EOS. It finds the end of the prompt by its length.
func says(promptTokens int, answer ...int32) func([]int32) int32 {
	return func(history []int32) int32 {
		if at := len(history) - promptTokens; at >= 0 && at < len(answer) {
			return answer[at]
		}
		return eos
	}
}

// letters answers with the letters of the alphabet, one after the last token's.
func letters(history []int32) int32 {
	if last := history[len(history)-1]; last >= 'a' && last < 'z' {
		return last + 1
	}
	return 'a'
}

// reply is an answer as a client reads it.
type reply struct {
	t      testing.TB
	status int
	header *fasthttp.ResponseHeader
	body   []byte
	broken error // why a stream broke off
}

// do sends a request; head are pairs of names and values.
func (h *bench) do(method, path, body string, head ...string) reply {
	h.t.Helper()
	var request fasthttp.Request
	request.Header.SetMethod(method)
	request.SetRequestURI(path)
	for i := 0; i < len(head); i += 2 {
		request.Header.Set(head[i], head[i+1])
	}
	request.SetBodyString(body)
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&request, nil, nil)
	h.handle(ctx)
	r := reply{t: h.t, status: ctx.Response.StatusCode(), header: &ctx.Response.Header}
	if stream := ctx.Response.BodyStream(); stream != nil {
		r.body, r.broken = io.ReadAll(stream)
	} else {
		r.body = ctx.Response.Body()
	}
	return r
}

// handle answers as the server does, and notes a stream that has begun.
func (h *bench) handle(ctx *fasthttp.RequestCtx) {
	h.Handle(ctx)
	if ctx.Response.IsBodyStream() {
		h.streaming.Store(true)
	}
}

func (h *bench) post(path, body string) reply { h.t.Helper(); return h.do("POST", path, body) }

// into decodes a successful answer.
func (r reply) into(v any) {
	r.t.Helper()
	if r.status != 200 {
		r.t.Fatalf("status %d: %.600s", r.status, r.body)
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("%v: %.600s", err, r.body)
	}
}

// problem is the error object of an answer, in OpenAI's form: all four members are there.
type problem struct{ Message, Type, Param, Code string }

func (r reply) problem() problem {
	r.t.Helper()
	var body struct {
		Error map[string]*string `json:"error"`
	}
	if err := json.Unmarshal(r.body, &body, json.RejectUnknownMembers(true)); err != nil || len(body.Error) != 4 {
		r.t.Fatalf("status %d, no error in OpenAI's form (%v): %.600s", r.status, err, r.body)
	}
	member := func(name string) string {
		p, ok := body.Error[name]
		if !ok {
			r.t.Fatalf("the error has no %s: %.600s", name, r.body)
		}
		return or(p, "")
	}
	return problem{member("message"), member("type"), member("param"), member("code")}
}

// events are the data of a stream's frames; the framing is checked to the byte.
func (r reply) events() []string {
	r.t.Helper()
	if got := string(r.header.ContentType()); r.status != 200 || got != "text/event-stream" {
		r.t.Fatalf("status %d, content type %q: %.600s", r.status, got, r.body)
	}
	whole, ended := strings.CutSuffix(string(r.body), "\n\n")
	if !ended {
		r.t.Fatalf("the last frame is not closed: %q", r.body)
	}
	var list []string
	for _, frame := range strings.Split(whole, "\n\n") {
		data, ok := strings.CutPrefix(frame, "data: ")
		if !ok || strings.ContainsAny(data, "\r\n") {
			r.t.Fatalf("bad frame %q", frame)
		}
		list = append(list, data)
	}
	return list
}
