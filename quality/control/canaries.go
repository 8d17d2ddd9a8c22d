package control

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// This file owns canaries: a few prompts that are answered again and again, greedily, and whose answers must stay what they were. They find what no score
// is fine enough for: weights that have changed in memory still name themselves by the digest that they were loaded with.

// Prompts are those that come with the program, of the kinds of text that models read: prose, dialogue, lists, numbers, code, other scripts. They are
// continued as they stand, without a chat template, so that any model has an answer.
var Prompts = []string{
	"The harbour was quiet when the last ferry came in, and the only light",
	"A recipe for bread: flour, water, salt and",
	"Question: What is the capital of Norway?\nAnswer:",
	"1, 1, 2, 3, 5, 8, 13,",
	"def greatest(numbers):\n    \"\"\"Return the largest of a list.\"\"\"\n",
	"{\"name\": \"Ada\", \"age\": 36, \"languages\": [",
	"Dear Ms Okafor,\n\nthank you for your letter of 3 May. We regret that",
	"Open the file in a new window",
	"Die Sitzung beginnt um neun Uhr, und alle Teilnehmer",
	"Le train pour Lyon part du quai",
	"Вчера вечером шёл дождь, поэтому",
	"東京の天気は今日",
	"الكتاب على الطاولة",
	"SELECT name, price FROM products WHERE",
	"- milk\n- eggs\n- two lemons\n-",
	"Seventeen plus twenty-five is",
}

// CanaryTokens is how long an answer may become: a change of weights that matters shows within a few tokens, and a machine's idle time pays for
// each.
const CanaryTokens = 32

// DigestOf names a set of canaries by what the model reads, so that another tokenizer, template or length is another set.
func DigestOf(prompts [][]int32, maxTokens int) string {
	h := sha256.New()
	word := func(n int32) { h.Write(binary.LittleEndian.AppendUint32(nil, uint32(n))) }
	word(int32(maxTokens))
	for _, p := range prompts {
		word(int32(len(p)))
		for _, id := range p {
			word(id)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// AnswerDigest is what is kept of an answer.
func AnswerDigest(tokens []int32) string { return DigestOf([][]int32{tokens}, 0) }

// Changed are the places at which answers are not the golden ones. Answers that are missing on either side have changed.
func Changed(golden, now []string) (places []int) {
	for i := range max(len(golden), len(now)) {
		if i >= len(golden) || i >= len(now) || golden[i] != now[i] {
			places = append(places, i)
		}
	}
	return places
}
