package loader

import (
	"bytes"
	"io"
	"reflect"
	"sort"
	"testing"

	"chimera/weights"
)

// summaryOf is the summary of a file with this metadata and two tensors.
func summaryOf(t *testing.T, keys map[string]any) Summary {
	t.Helper()
	var m weights.Metadata
	for key, v := range keys {
		value := weights.Value{Any: v}
		switch v.(type) {
		case string:
			value.Type = weights.Text
		case uint64:
			value.Type = weights.Uint64
		case []string:
			value.Type, value.Element = weights.Array, weights.Text
		}
		m.Set(key, value)
	}
	var file bytes.Buffer
	f32 := func(name string, shape ...uint64) weights.OutTensor {
		n := uint64(1)
		for _, d := range shape {
			n *= d
		}
		return weights.OutTensor{Name: name, Type: weights.F32, Shape: shape, Write: func(w io.Writer) error {
			_, err := w.Write(make([]byte, 4*n))
			return err
		}}
	}
	if err := weights.WriteFile(&file, &m, []weights.OutTensor{f32("a", 4), f32("b", 8, 3)}); err != nil {
		t.Fatal(err)
	}
	f, err := weights.Parse("m", file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return Summarize(f)
}

func TestSummary(t *testing.T) {
	shares := []TypeShare{{"F32", 2, 28}}
	for _, c := range []struct {
		name string
		keys map[string]any
		want Summary
	}{
		{"all", map[string]any{
			"general.architecture": "x", "general.name": "N", "general.license": "mit", "general.author": "A", "general.organization": "O", "x.context_length": uint64(99),
			"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "p", "tokenizer.ggml.tokens": []string{"a", "b"},
			"tokenizer.chat_template": "t", "tokenizer.chat_template.tool_use": "t", "tokenizer.chat_templates": []string{"tool_use"},
		}, Summary{Name: "N", Architecture: "x", Context: 99, Vocabulary: 2, Tokenizer: "gpt2 p", License: "mit", Author: "A"}},
		{"an organization, no author", map[string]any{"general.organization": "O", "general.basename": "B"}, Summary{Name: "B", Author: "O"}},
		{"wrong types", map[string]any{"general.architecture": uint64(1), "general.name": uint64(2), "tokenizer.ggml.tokens": "x", ".context_length": "y"}, Summary{}},
		{"nothing", nil, Summary{}},
	} {
		got := summaryOf(t, c.keys)
		c.want.Parameters, c.want.Types = 28, shares
		sort.Strings(got.ChatTemplates) // the keys above have no order
		if c.want.ChatTemplates = []string{}; c.name == "all" {
			c.want.ChatTemplates = []string{"default", "tool_use"}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

func TestTypeSharesComeBySize(t *testing.T) {
	values, shares := typeShares([]weights.Tensor{
		{Type: weights.F32, Shape: []uint64{2}}, {Type: weights.Q8_0, Shape: []uint64{32, 4}}, {Type: weights.F32, Shape: []uint64{3}},
	})
	if want := []TypeShare{{"Q8_0", 1, 128}, {"F32", 2, 5}}; values != 133 || !reflect.DeepEqual(shares, want) {
		t.Errorf("%d %+v", values, shares)
	}
}
