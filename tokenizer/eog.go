// This file owns what model files do not say but every engine must know: which tokens end a generation, and which are
// control tokens although the file calls them ordinary. The texts are those that llama.cpp knows (src/llama-vocab.cpp,
// commit 0c1e57098).
package tokenizer

import "slices"

// eogTexts end a generation in the models that have them.
var eogTexts = []string{
	"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>",
	"<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>",
	"<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[",
}

// Tokens of fill-in-the-middle. Padding, repository and file separator end a generation too.
var (
	fimPadTexts       = []string{"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}
	fimRepoTexts      = []string{"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}
	fimSeparatorTexts = []string{"<|file_sep|>"}
	fimPartTexts      = [][]string{
		{"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|code_prefix|>", "<|prefix|>"},
		{"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>", "<|suffix|>"},
		{"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>", "<|middle|>"},
	}
)

// visibleTexts are the parts of the Harmony format (gpt-oss), which a reader of the raw text must see.
var visibleTexts = []string{"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"}

// specials gathers the tokens that end a generation and corrects kinds on the way.
type specials struct {
	kinds []kind
	index *textIndex
	eog   []int32
}

// markSpecials corrects kinds by the tokens' texts and returns the tokens that end a generation, ascending.
func markSpecials(v *Vocab, kinds []kind, index *textIndex) []int32 {
	s := specials{kinds: kinds, index: index}
	for _, texts := range fimPartTexts {
		s.control(nil, texts)
	}
	s.end(s.control(v.FIMPad, fimPadTexts))
	s.end(s.control(v.FIMRepo, fimRepoTexts))
	s.end(s.control(v.FIMSeparator, fimSeparatorTexts))
	for _, text := range eogTexts {
		s.end(s.control(nil, []string{text}))
	}
	for _, text := range visibleTexts {
		if id := index.find(text); id != None {
			kinds[id] = kindUserDefined
		}
	}
	s.end(orNone(v.EOS))
	s.end(orNone(v.EOT))
	s.end(orNone(v.EOM))
	s.correct()
	slices.Sort(s.eog)
	return slices.Compact(s.eog)
}

// control finds the lowest id with one of the texts and marks it as control, unless the file names the token itself.
func (s *specials) control(named *int64, texts []string) int32 {
	if named != nil {
		return int32(*named)
	}
	found := None
	for _, text := range texts {
		if id := s.index.find(text); id != None && (found == None || id < found) {
			found = id
		}
	}
	if found != None {
		s.kinds[found] |= kindControl
	}
	return found
}

func (s *specials) end(id int32) {
	if id != None {
		s.eog = append(s.eog, id)
	}
}

func (s *specials) ends(text string) bool {
	id := s.index.find(text)
	return id != None && slices.Contains(s.eog, id)
}

// correct takes back two texts that end a generation in most models but not beside certain others: <|end|> closes one
// message of several in Harmony and Solar, </s> is ordinary text in Gemma 4 and PLaMo.
func (s *specials) correct() {
	call := s.ends("<|call|>") || s.ends("<|calls|>")
	if call && (s.ends("<|return|>") || s.ends("<|flush|>")) {
		s.keep("<|end|>", kindUserDefined)
	}
	if s.ends("<|tool_response>") || s.ends("<|plamo:eos|>") {
		s.keep("</s>", kindNormal)
	}
}

// keep makes text a token that does not end a generation.
func (s *specials) keep(text string, k kind) {
	if id := s.index.find(text); id != None && s.ends(text) {
		s.eog = slices.DeleteFunc(s.eog, func(other int32) bool { return other == id })
		s.kinds[id] = k
	}
}
