package daemon

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"chimera/config"
	"chimera/engine"
	"chimera/loader"
	"chimera/tokenizer"
	"chimera/weights"
)

// This file owns the verbs that work on a model file without a daemon.

// offlineOptions turns the shared flags into sizes for one sequence.
func offlineOptions(c *config.Config) loader.Options {
	o := loader.OptionsOf(c)
	o.MaxSequences, o.MaxLogprobs = 1, 1
	o.HeapBytes = 0 // nobody sends requests
	return o
}

// openEvaluator loads a model for one sequence.
func openEvaluator(path string, c *config.Config, context int) (*loader.Loaded, *evaluator, error) {
	o := offlineOptions(c)
	if o.Context == 0 {
		o.Context = context
	}
	l, err := loader.Load(path, o)
	if err != nil {
		return nil, nil, err
	}
	e, err := newEvaluator(l.Instance)
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, e, nil
}

// LogitsRequest is what chimera logits computes.
type LogitsRequest struct {
	Model string
	IDs   []int32 // as they are
	Text  string  // tokenised as by /v1/completions, if IDs is nil
	All   bool    // every position, not the last alone
	Out   string
}

// Logits writes raw little-endian float32 rows, (positions, vocabulary).
func Logits(ctx context.Context, c *config.Config, r LogitsRequest) (err error) {
	l, e, err := openEvaluator(r.Model, c, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if r.IDs == nil {
		tok, err := loader.NewTokenizer(l.File)
		if err != nil {
			return err
		}
		r.IDs = tok.Around(tok.Encode(r.Text, false, true))
	}
	if err := checkIDs(r.IDs, l.Program); err != nil {
		return err
	}
	from := len(r.IDs) - 1
	if r.All {
		from = 0
	}
	return writeFile(ctx, r.Out, l.File, func(out io.Writer) error {
		w := bufio.NewWriterSize(out, 1<<20)
		err := e.rows(r.IDs, from, func(_ int, logits []float32) error { return binary.Write(w, binary.LittleEndian, logits) })
		return errors.Join(err, w.Flush())
	})
}

func checkIDs(ids []int32, p *engine.Program) error {
	if len(ids) == 0 {
		return &config.Error{Err: errors.New("there are no tokens: give --ids or --text")}
	}
	for _, id := range ids {
		if id < 0 || int(id) >= p.Vocab {
			return &config.Error{Err: fmt.Errorf("ids: %d lies outside the vocabulary of %d", id, p.Vocab)}
		}
	}
	return nil
}

// PerplexityRequest is what chimera perplexity measures.
type PerplexityRequest struct {
	Model        string
	Text         []byte
	ParseSpecial bool // what spells a special token is that token, not text
	Progress     func(done, total int)
}

// PerplexityResult is what chimera perplexity prints.
type PerplexityResult struct {
	PPL      float64   `json:"ppl"`
	StdErr   float64   `json:"stderr"`
	Chunks   int       `json:"chunks"`
	PerChunk []float64 `json:"per_chunk"` // each window's own
}

// perplexityWindow is the default window, leastWindow the smallest whose second half scores a token.
const (
	perplexityWindow = 512
	leastWindow      = 3
	largestLog       = 709 // e^709 is a float64, e^710 is infinite and no JSON
)

// Perplexity measures a text: windows of ctx tokens that do not overlap, the last partial one dropped;
// the second half of each scores its tokens. If the tokenizer adds BOS it replaces a window's first
// token.
func Perplexity(c *config.Config, q PerplexityRequest) (r PerplexityResult, err error) {
	if c.Ctx != 0 && c.Ctx < leastWindow {
		return r, noWindow(c.Ctx) // before minutes of loading
	}
	l, e, err := openEvaluator(q.Model, c, perplexityWindow)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	tok, err := loader.NewTokenizer(l.File)
	if err != nil {
		return r, err
	}
	window := l.Instance.Limits().MaxContext
	if window < leastWindow {
		return r, noWindow(window) // the model's context is as short
	}
	ids := tok.Around(tok.Encode(string(q.Text), false, q.ParseSpecial))
	r.Chunks = len(ids) / window
	if r.Chunks == 0 {
		return r, fmt.Errorf("the text has %d tokens, one window needs %d: give a longer text or a smaller --ctx", len(ids), window)
	}
	var all []float64
	for i := range r.Chunks {
		chunk := append([]int32(nil), ids[i*window:(i+1)*window]...)
		if tok.AddsBOS() {
			chunk[0] = tok.BOS()
		}
		scores, err := e.scores(chunk, window/2)
		if err != nil {
			return r, fmt.Errorf("window %d of %d: %w", i+1, r.Chunks, err)
		}
		all = append(all, scores...)
		mean, _ := meanAndError(scores)
		if mean < -largestLog {
			return r, fmt.Errorf("window %d of %d: a mean log-probability of %g has no perplexity: the logits leave all range", i+1, r.Chunks, mean)
		}
		r.PerChunk = append(r.PerChunk, math.Exp(-mean))
		q.Progress(i+1, r.Chunks)
	}
	mean, deviation := meanAndError(all)
	r.PPL = math.Exp(-mean)
	r.StdErr = r.PPL * deviation
	return r, nil
}

func noWindow(tokens int) error {
	return &config.Error{Err: fmt.Errorf("--ctx %d leaves no token to score: a window has at least %d", tokens, leastWindow)}
}

// meanAndError is the mean and its standard error.
func meanAndError(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	var square float64
	for _, v := range x {
		square += (v - mean) * (v - mean)
	}
	if len(x) > 1 {
		deviation = math.Sqrt(square / float64(len(x)-1) / float64(len(x)))
	}
	return mean, deviation
}

// QuantizeRequest is what chimera quantize writes.
type QuantizeRequest struct {
	In, Out  string
	Type     string
	Mix      *Mix     // instead of Type; or nil
	Tensors  []string // PATTERN=TYPE each
	Notice   func(text string)
	Progress func(done, total uint64)
}

// conversion reads the names of types.
func (r QuantizeRequest) conversion() (c weights.Conversion, err error) {
	c = weights.Conversion{Search: loader.Search, Notice: r.Notice, Progress: r.Progress}
	if r.Mix == nil {
		if c.Target, err = weights.ParseTarget(r.Type); err != nil {
			return c, &config.Error{Err: err}
		}
	}
	for _, text := range r.Tensors {
		choice, err := weights.ParseChoice(text)
		if err != nil {
			return c, &config.Error{Err: fmt.Errorf("tensor-type: %w", err)}
		}
		c.Choices = append(c.Choices, choice)
	}
	return c, nil
}

// QuantizeTypes lists what QuantizeRequest.Type may be, for people.
func QuantizeTypes() string { return weights.TargetNames() }

// Quantize rewrites a model file. When ctx ends nothing of the new file is left.
func Quantize(ctx context.Context, r QuantizeRequest) error {
	c, err := r.conversion()
	if err != nil {
		return err
	}
	f, err := loader.OpenFile(r.In)
	if err != nil {
		return err
	}
	if c.Recipe = loader.Recipe(f, c.Target); r.Mix != nil {
		c.Recipe = r.Mix.recipe()
	}
	err = writeFile(ctx, r.Out, f, func(w io.Writer) error { return weights.Convert(w, f, c) })
	if errors.Is(err, weights.ErrMalformed) {
		err = fmt.Errorf("%w: %w", err, engine.ErrModelFile) // not finite, or lost since it was opened
	}
	return errors.Join(err, f.Close())
}

// OpenTokenizer reads the tokenizer of a model file.
func OpenTokenizer(path string) (*tokenizer.Tokenizer, error) {
	f, err := loader.OpenFile(path)
	if err != nil {
		return nil, err
	}
	t, err := loader.NewTokenizer(f)
	return t, errors.Join(err, f.Close())
}

// ReadAll reads a file, or standard input for "-".
func ReadAll(path string, stdin io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(path)
}
