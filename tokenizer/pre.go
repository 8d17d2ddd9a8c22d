// This file owns the table of pre-tokenizers by the names that model files use (tokenizer.ggml.pre), as in llama.cpp's
// src/llama-vocab.cpp, commit 0c1e57098.
package tokenizer

// preTokenizer is how a byte-level vocabulary cuts text into words, and the habits that go with the name.
type preTokenizer struct {
	split []splitter
	// nfc: the text is brought to Unicode's composed form first, which model files do not say.
	nfc bool
	// wholeWord: a word that is a token is never cut ("ignore_merges").
	wholeWord bool
	// addBOS: Encode begins with BOS unless the file says otherwise.
	addBOS bool
}

var preTokenizers = namePreTokenizers()

func namePreTokenizers() map[string]preTokenizer {
	table := map[string]preTokenizer{}
	name := func(p preTokenizer, names ...string) {
		for _, n := range names {
			table[n] = p
		}
	}
	singleDigits := isolateRun(number, 1)
	threeDigits := isolateRun(number, 3)
	lines := isolateRun(lineBreak, 1)
	llama3 := wordRules{contractions: true, letters: letter, digits: 3, breaks: lineBreak}
	qwen2 := wordRules{contractions: true, letters: letter, digits: 1, breaks: lineBreak}
	qwen35 := wordRules{contractions: true, letters: letter | mark, digits: 1, breaks: lineBreak}

	name(preTokenizer{split: []splitter{splitGPT2}},
		"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4", "gigachat", "a.x-4.0", "mellum",
		"modern-bert", "jina-es", "jina-de", "jina-v1-en", "jina-v2-es", "jina-v2-de", "jina-v2-code", "roberta-bpe")
	name(preTokenizer{split: []splitter{singleDigits, splitGPT2}},
		"starcoder", "refact", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2")
	name(preTokenizer{split: []splitter{singleDigits, splitGPT2}, nfc: true},
		"command-r")

	name(preTokenizer{split: []splitter{llama3.split}, wholeWord: true, addBOS: true},
		"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano")
	name(preTokenizer{split: []splitter{llama3.split}, wholeWord: true},
		"glm4", "glm5")
	name(preTokenizer{split: []splitter{llama3.split}},
		"dbrx", "smaug-bpe", "chatglm-bpe")
	name(preTokenizer{split: []splitter{threeDigits, llama3.split}, wholeWord: true},
		"minicpm5")

	name(preTokenizer{split: []splitter{qwen2.split}, nfc: true},
		"qwen2")
	name(preTokenizer{split: []splitter{qwen35.split}, nfc: true},
		"qwen35")
	name(preTokenizer{split: []splitter{qwen2.split}},
		"stablelm2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "hunyuan", "solar-open", "grok-2",
		"bailingmoe", "bailingmoe2", "llada-moe")
	name(preTokenizer{split: []splitter{wordRules{contractions: true, letters: letter, digits: 1}.split}},
		"seed-coder")
	name(preTokenizer{split: []splitter{wordRules{letters: letter, digits: 1, breaks: lineBreak}.split}},
		"ufakzeka")

	name(preTokenizer{split: []splitter{caseRules{contractions: true, digits: 3}.split}},
		"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2")
	name(preTokenizer{split: []splitter{caseRules{digits: 1}.split}, wholeWord: true, addBOS: true},
		"tekken")

	name(preTokenizer{split: []splitter{threeDigits, isolateRun(kana, 0), isolate(0, matchDeepSeek)}},
		"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4")
	name(preTokenizer{split: []splitter{lines, isolate(cased|space, spaceAnd(cased)),
		isolate(halfPunct|space, spaceAnd(halfPunct)), splitTrailingSpace, isolateRun(wide, 0), isolateRun(number, 0)}},
		"deepseek-llm")
	name(preTokenizer{split: []splitter{lines, isolate(letter|space, spaceAnd(letter)),
		isolate(punct|space, spaceAnd(punct)), isolateRun(wide, 0), singleDigits}},
		"deepseek-coder")

	name(preTokenizer{split: []splitter{isolate(punct|sign, matchPunctuation("$+<=>^~|`")), splitGPT2,
		isolate(number, matchThreeDigits)}},
		"falcon")
	name(preTokenizer{split: []splitter{isolate(punct|sign, matchPunctuation("$+<=>^~|")), splitGPT2, isolateRun(number, 0),
		isolate(number, matchThreeDigits)}},
		"default", "")
	name(preTokenizer{split: []splitter{isolate(0, matchBloom)}},
		"bloom", "poro-chat", "gpt3-finnish")
	name(preTokenizer{split: []splitter{isolate(0, matchBloom), singleDigits}},
		"viking")
	return table
}
