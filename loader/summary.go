package loader

import (
	"cmp"
	"slices"
	"strings"

	"chimera/weights"
)

// This file owns what a person wants to know of a model file first.

// Summary is what a model file says of itself and what its tensors are. What the file does not state, or states as
// something else than it must be, is empty.
type Summary struct {
	Name          string      `json:"name"`
	Architecture  string      `json:"architecture"`
	Parameters    uint64      `json:"parameters"` // values of all tensors
	Types         []TypeShare `json:"types"`      // the largest first
	FileBytes     int64       `json:"file_bytes"` // of all shards
	Context       uint64      `json:"context"`    // that the model was trained for
	Vocabulary    int         `json:"vocabulary"`
	Tokenizer     string      `json:"tokenizer"` // its model, and how text is cut first
	ChatTemplates []string    `json:"chat_templates"`
	ChatProblem   string      `json:"chat_problem"` // why none of them can be used, so that there is no chat
	License       string      `json:"license"`
	Author        string      `json:"author"`
}

// TypeShare is how much of a model is of one type.
type TypeShare struct {
	Type    string `json:"type"`
	Tensors int    `json:"tensors"`
	Values  uint64 `json:"values"`
}

// Summarize is what a file says of its model, without its weights being read.
func Summarize(f *weights.File) Summary {
	m := f.Metadata()
	text := func(keys ...string) string {
		for _, key := range keys {
			if s, _, err := m.String(key); err == nil && s != "" {
				return s
			}
		}
		return ""
	}
	s := Summary{
		Name: text("general.name", "general.basename"), Architecture: text("general.architecture"), FileBytes: f.Bytes(),
		Tokenizer: text("tokenizer.ggml.model"), ChatTemplates: templateNames(m.Keys()),
		License: text("general.license", "general.license.name"), Author: text("general.author", "general.organization"),
	}
	if pre := text("tokenizer.ggml.pre"); pre != "" {
		s.Tokenizer += " " + pre
	}
	s.Context, _, _ = m.Uint(s.Architecture + ".context_length")
	tokens, _, _ := m.Strings("tokenizer.ggml.tokens")
	s.Vocabulary = len(tokens)
	s.Parameters, s.Types = typeShares(f.Tensors())
	return s
}

func typeShares(tensors []weights.Tensor) (values uint64, shares []TypeShare) {
	at := map[weights.Type]int{}
	shares = []TypeShare{}
	for _, t := range tensors {
		i, known := at[t.Type]
		if !known {
			i = len(shares)
			at[t.Type] = i
			shares = append(shares, TypeShare{Type: t.Type.String()})
		}
		shares[i].Tensors++
		shares[i].Values += t.Values()
		values += t.Values()
	}
	slices.SortStableFunc(shares, func(a, b TypeShare) int { return cmp.Compare(b.Values, a.Values) })
	return values, shares
}

// defaultTemplate is the name of the template that has none.
const defaultTemplate = "default"

// templateNames are the chat templates of a file: a plain one, and those for a purpose, such as tool_use.
func templateNames(keys []string) []string {
	names := []string{}
	for _, key := range keys {
		if key == templateKey {
			names = append(names, defaultTemplate)
		} else if name, ok := strings.CutPrefix(key, templateKey+"."); ok {
			names = append(names, name)
		}
	}
	return names
}
