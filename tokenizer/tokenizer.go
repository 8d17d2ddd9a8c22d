// Package tokenizer turns text into the token ids of a model and back.
//
// It covers the two families that the served models use: byte-level BPE ("gpt2" in a GGUF file) with the pre-tokenizers
// of the well-known models, and SentencePiece BPE ("llama") with byte fallback. Ids equal those of llama.cpp; where
// llama.cpp leaves out what the model was trained with (Unicode NFC, the exact split pattern), those of Hugging Face
// tokenizers. Every step is linear in the text, or n log n where pairs are merged, whatever the text holds.
//
// This file owns the vocabulary as a caller states it, and the simple questions about a loaded one.
package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrUnsupported is wrapped by New's error when the vocabulary is of a family, or asks for a pre-tokenizer, that this
// package does not have. The error names it.
var ErrUnsupported = errors.New("unsupported tokenizer")

// ErrInvalid is wrapped by New's error when the vocabulary contradicts itself. The error names the GGUF key.
var ErrInvalid = errors.New("invalid tokenizer")

// None stands for a token that the vocabulary does not have.
const None int32 = -1

// Vocab is what a model file says about its tokenizer: the keys tokenizer.ggml.* of a GGUF file, unchanged.
// New keeps Tokens, so the caller must not change it afterwards.
type Vocab struct {
	Model  string    // tokenizer.ggml.model: "gpt2" or "llama"
	Pre    string    // tokenizer.ggml.pre; "" is "default"; unused by "llama"
	Tokens []string  // tokenizer.ggml.tokens, by id; (V)
	Scores []float32 // tokenizer.ggml.scores; (V); needed by "llama" only
	Types  []int32   // tokenizer.ggml.token_type; (V), or nil: all normal
	Merges []string  // tokenizer.ggml.merges, best first, two tokens with a space between; needed by "gpt2" only

	// Special tokens: bos_token_id, eos_, eot_, eom_, unknown_; nil where the file has no such key. They are as wide as a file
	// may have them: New passes over those that are no tokens, and says what they were.
	BOS, EOS, EOT, EOM, UNK *int64
	// fim_pad_token_id, fim_rep_, fim_sep_: these end a generation too.
	FIMPad, FIMRepo, FIMSeparator *int64

	// add_bos_token, add_eos_token, add_space_prefix; nil where the file has no such key, which means the family's habit.
	AddBOS, AddEOS, AddSpacePrefix *bool

	// Name is general.name. Phi-3's special tokens swallow the white space after them, which no key says.
	Name string
}

// Tokenizer encodes and decodes. It never changes after New, so that any number of goroutines may use it.
type Tokenizer struct {
	tokens  []string // as in the file; (V)
	kinds   []kind   // (V)
	index   textIndex
	pieces  string  // what the tokens stand for, one after the other
	ends    []int32 // where in pieces each token ends; (V)
	longest int     // bytes of the longest
	special matcher
	eog     []int32 // ascending

	bos, eos, unk  int32
	addBOS, addEOS bool
	// spacePrefix: a text that begins, or follows a special token, gets a space, which decoding takes away again.
	spacePrefix bool

	model    family
	scratch  sync.Pool // *merger
	warnings []string
}

// family is what differs between the kinds of BPE: how a text without special tokens becomes ids.
type family interface {
	// encode appends the ids of text, which is not empty and valid UTF-8.
	encode(ids []int32, text string, m *merger) []int32
}

// New checks a vocabulary and builds its tables. Its errors wrap ErrUnsupported or ErrInvalid and name the key. What is wrong
// with a file but can be passed over is in Warnings.
func New(v Vocab) (*Tokenizer, error) {
	if v.Model != "gpt2" && v.Model != "llama" {
		return nil, fmt.Errorf("%w: tokenizer.ggml.model is %q; supported are \"gpt2\" and \"llama\"", ErrUnsupported, v.Model)
	}
	kinds, err := v.check()
	if err != nil {
		return nil, err
	}
	warnings := v.settleIDs(kinds)
	t := &Tokenizer{tokens: v.Tokens, kinds: kinds, bos: orNone(v.BOS), eos: orNone(v.EOS), unk: orNone(v.UNK)}
	var repeated int
	if t.index, repeated = newTextIndex(v.Tokens); repeated > 0 {
		warnings = append(warnings, fmt.Sprintf("tokenizer.ggml.tokens has %d texts that earlier tokens have too: no text becomes the later ones", repeated))
	}
	t.eog = markSpecials(&v, kinds, &t.index)
	if t.special, err = newMatcher(&v, kinds); err != nil {
		return nil, err
	}
	t.addBOS, t.addEOS = flag(v.AddBOS, false), flag(v.AddEOS, false)
	t.scratch.New = func() any { return new(merger) }
	if v.Model == "gpt2" {
		err = t.buildByteLevel(&v)
	} else {
		err = t.buildSentencePiece(&v)
	}
	if err != nil {
		return nil, err
	}
	if v.Model == "gpt2" && v.Pre == "" {
		warnings = append(warnings, "tokenizer.ggml.pre is missing: texts are cut into words as by \"default\", which is right for few models; convert the file again if its answers are poor")
	}
	if t.addBOS && t.bos == None {
		t.addBOS, warnings = false, append(warnings, "tokenizer.ggml.add_bos_token is true, but there is no tokenizer.ggml.bos_token_id that can be used: none is added")
	}
	if t.addEOS && t.eos == None {
		t.addEOS, warnings = false, append(warnings, "tokenizer.ggml.add_eos_token is true, but there is no tokenizer.ggml.eos_token_id that can be used: none is added")
	}
	t.warnings = warnings
	return t, nil
}

// Warnings says what New passed over or put in the place of what the file lacks, naming the keys.
func (t *Tokenizer) Warnings() []string { return slices.Clone(t.warnings) }

// VocabSize is the number of ids: 0 to VocabSize-1.
func (t *Tokenizer) VocabSize() int { return len(t.tokens) }

// BOS is the token that begins a text, or None.
func (t *Tokenizer) BOS() int32 { return t.bos }

// EOS is the token that ends a text, or None. A generation may end by others too: see IsEOG.
func (t *Tokenizer) EOS() int32 { return t.eos }

// UNK is the token for what the vocabulary cannot express, or None.
func (t *Tokenizer) UNK() int32 { return t.unk }

// AddsBOS says whether Encode with addSpecial begins with BOS.
func (t *Tokenizer) AddsBOS() bool { return t.addBOS }

// AddsEOS says whether Encode with addSpecial ends with EOS.
func (t *Tokenizer) AddsEOS() bool { return t.addEOS }

// EOG returns the tokens that end a generation, ascending. The caller may keep and change the slice.
func (t *Tokenizer) EOG() []int32 { return slices.Clone(t.eog) }

// IsEOG says whether id ends a generation.
func (t *Tokenizer) IsEOG(id int32) bool {
	_, found := slices.BinarySearch(t.eog, id)
	return found
}

// IsSpecial says whether id is a control token (or UNK), which stands for no text. It is false for ids out of range.
func (t *Tokenizer) IsSpecial(id int32) bool {
	return t.valid(id) && t.kinds[id].hidden()
}

// TokenText is the token as the model file writes it, e.g. "Ġthe" or "▁the", and "" for ids out of range.
func (t *Tokenizer) TokenText(id int32) string {
	if !t.valid(id) {
		return ""
	}
	return t.tokens[id]
}

// TokenID finds the token that the model file writes as text.
func (t *Tokenizer) TokenID(text string) (id int32, ok bool) {
	id = t.index.find(text)
	return id, id != None
}

func (t *Tokenizer) valid(id int32) bool { return id >= 0 && int(id) < len(t.tokens) }
