package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// chatPrompt is how the template writes the user's "x" (without BOS).
const chatPrompt = "<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n"

// chatLength is its length in tokens, BOS included.
func (h *bench) chatLength() int { return len(h.model.Tokenizer.EncodeRendered(chatPrompt, nil)) }

type chatReply struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Model   string       `json:"model"`
	Choices []chatChoice `json:"choices"`
	Usage   usage        `json:"usage"`
}

func (h *bench) chat(fields string) (r chatReply) {
	h.t.Helper()
	h.post(chatPath, `{"messages":[{"role":"user","content":"x"}],"temperature":0,`+fields+"}").into(&r)
	return r
}

func TestChatAnswer(t *testing.T) {
	h := newBench(t, nil)
	h.answer(says(h.chatLength(), 'h', 'i', imEnd))
	r := h.chat(`"max_tokens":9,"n":2,"logprobs":true,"top_logprobs":2`)
	if !strings.HasPrefix(r.ID, "chatcmpl-") || r.Object != "chat.completion" || r.Model != "first" || len(r.Choices) != 2 {
		t.Fatalf("%+v", r)
	}
	for i, c := range r.Choices {
		if c.Index != i || c.Message != (chatMessage{"assistant", "hi"}) || c.FinishReason != "stop" {
			t.Errorf("choice %d: %+v", i, c)
		}
		if len(c.Logprobs.Content) != 2 {
			t.Errorf("choice %d: every token of the answer has an entry, the end has none: %+v", i, c.Logprobs)
		}
		for _, token := range c.Logprobs.Content {
			if len(token.Top) != 2 || token.Top[0].Token != token.Token || token.Logprob != token.Top[0].Logprob || len(token.Bytes) != len(token.Token) {
				t.Errorf("choice %d: %+v", i, token)
			}
		}
	}
	if u := r.Usage; u.PromptTokens != h.chatLength() || u.CompletionTokens != 6 || u.TotalTokens != u.PromptTokens+6 {
		t.Errorf("usage %+v", u)
	}
	if l := h.chat(`"max_tokens":9,"logprobs":true,"include_stop_str_in_output":true`).Choices[0].Logprobs; len(l.Content) != 3 || l.Content[2].Token != "<|im_end|>" {
		t.Errorf("the end that was asked for has an entry: %+v", l)
	}
	for _, token := range h.chat(`"max_tokens":9,"logprobs":true`).Choices[0].Logprobs.Content {
		if len(token.Top) != 0 || token.Logprob != rankLogprob(0) {
			t.Errorf("without top_logprobs the likeliest token is %+v, not of log-probability %g", token, rankLogprob(0))
		}
	}
	if h.chat(`"max_completion_tokens":1`).Choices[0].FinishReason != "length" {
		t.Error("max_completion_tokens does not end the answer")
	}
	h.answer(letters)
	if c := h.chat(`"n":1`).Choices[0]; c.FinishReason != "length" || len(c.Message.Content) != benchContext-h.chatLength() {
		t.Errorf("without max_tokens an answer fills the context: %d characters, %s", len(c.Message.Content), c.FinishReason)
	}
}

// The first choice's prompt alone counts as cached: the others share what it has computed.
func TestCachedTokens(t *testing.T) {
	h := newBench(t, letters)
	prompt := quoted(make([]int32, 100))
	for i, want := range []int{0, 99, 99} {
		var r chatReply
		h.post(textPath, `{"prompt":`+prompt+`,"max_tokens":1,"n":3}`).into(&r)
		if r.Usage.Details.CachedTokens != want || r.Usage.PromptTokens != 100 {
			t.Errorf("request %d: %+v, want %d cached", i, r.Usage, want)
		}
	}
	var r chatReply
	h.post(textPath, `{"prompt":[`+prompt+`,`+prompt+`],"max_tokens":1}`).into(&r)
	if r.Usage.Details.CachedTokens != 198 || r.Usage.PromptTokens != 200 {
		t.Errorf("two prompts: %+v", r.Usage)
	}
}

// streamChunk keeps what is absent apart from what is null.
type streamChunk struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	Choices []struct {
		Index        int                       `json:"index"`
		Delta        map[string]jsontext.Value `json:"delta"`
		Logprobs     *chatLogprobs             `json:"logprobs"`
		FinishReason *string                   `json:"finish_reason"`
	} `json:"choices"`
	Usage jsontext.Value `json:"usage"`
}

// delta is the text that a chunk adds. The first chunk of a choice has the role and an empty text.
func (c streamChunk) delta(t *testing.T, first bool) (text string) {
	t.Helper()
	raw, ok := c.Choices[0].Delta["content"]
	if ok && json.Unmarshal(raw, &text) != nil || first != (string(c.Choices[0].Delta["role"]) == `"assistant"`) || first && !ok || ok && first != (text == "") {
		t.Errorf("delta %v, first %t", c.Choices[0].Delta, first)
	}
	return text
}

func TestChatStream(t *testing.T) {
	h := newBench(t, nil)
	h.answer(says(h.chatLength(), 'h', 0xc3, 0xa9, 's', 't', 'o', imEnd)) // half a character, and a beginning of a stop string
	for _, withUsage := range []bool{false, true} {
		for _, withLogprobs := range []bool{false, true} {
			const n = 3
			fields := fmt.Sprintf(`{"messages":[{"role":"user","content":"x"}],"stream":true,"n":%d,"stop":"stop","logprobs":%t,"stream_options":{"include_usage":%t}}`, n, withLogprobs, withUsage)
			events := h.post(chatPath, fields).events()
			if events[len(events)-1] != "[DONE]" {
				t.Fatalf("the stream ends with %s", events[len(events)-1])
			}
			var first streamChunk
			texts, tokens, ends := [n]string{}, [n]int{}, [n]int{}
			last := len(events) - 2
			for i, event := range events[:last+1] {
				var c streamChunk
				if err := json.Unmarshal([]byte(event), &c); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					first = c
				}
				if c.ID != first.ID || c.Created != first.Created || c.Object != "chat.completion.chunk" {
					t.Errorf("event %d: %s", i, event)
				}
				if withUsage && i == last {
					want := fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,`, h.chatLength(), 7*n, h.chatLength()+7*n)
					if len(c.Choices) != 0 || !strings.HasPrefix(string(c.Usage), want) {
						t.Errorf("the last event is %s; want %s", event, want)
					}
					continue
				}
				if wanted := map[bool]string{true: "null"}[withUsage]; string(c.Usage) != wanted || len(c.Choices) != 1 {
					t.Errorf("event %d: usage %q; %s", i, c.Usage, event)
				}
				choice, text := c.Choices[0], c.delta(t, i < n)
				texts[choice.Index] += text
				if choice.Logprobs != nil {
					tokens[choice.Index] += len(choice.Logprobs.Content)
				}
				if choice.FinishReason != nil {
					ends[choice.Index]++
					if *choice.FinishReason != "stop" {
						t.Errorf("event %d: %s", i, event)
					}
				}
			}
			for i := range n {
				if texts[i] != "hésto" || ends[i] != 1 || withLogprobs && tokens[i] != 6 || !withLogprobs && tokens[i] != 0 {
					t.Errorf("choice %d: %q, %d tokens, %d ends", i, texts[i], tokens[i], ends[i])
				}
			}
		}
	}
}

// Log-probabilities that JSON can't say are written as vLLM does.
func TestLogprobsAreFinite(t *testing.T) {
	h := newBench(t, nil)
	keep := logSumExp
	defer func() { logSumExp = keep }()
	for _, value := range []string{"Inf", "NaN"} {
		fmt.Sscan(value, &logSumExp)
		h.answer(says(2, 'h'))
		var r completionReply
		h.post(textPath, `{"prompt":"x","logprobs":3,"echo":true,"max_tokens":1,"temperature":0}`).into(&r)
		for i, logprob := range r.Choices[0].Logprobs.TokenLogprobs[1:] {
			if *logprob != leastLogprob {
				t.Errorf("%s: entry %d is %v", value, i, *logprob)
			}
		}
	}
}

// The tokenizer's endpoints and the template, in llama-server's form.
func TestNativeEndpoints(t *testing.T) {
	h := newBench(t, letters)
	for _, c := range []struct{ path, body, want string }{
		{"/tokenize", `{"content":"hé"}`, `{"tokens":[104,195,169]}`},
		{"/tokenize", `{"content":""}`, `{"tokens":[]}`},
		{"/tokenize", `{"content":"","add_special":true}`, `{"tokens":[280]}`},
		{"/tokenize", `{"content":"<s>"}`, `{"tokens":[280]}`},
		{"/tokenize", `{"content":"<s>","parse_special":false}`, `{"tokens":[60,115,62]}`},
		{"/tokenize", `{"content":["h",280,"i","h"],"add_special":true}`, `{"tokens":[280,104,280,105,104]}`},
		{"/tokenize", `{"content":[280,"h"],"add_special":true}`, `{"tokens":[280,104]}`},
		{"/tokenize", `{"content":"<s>h","add_special":true}`, `{"tokens":[280,104]}`},
		{"/tokenize", `{"content":["","<s>h"],"add_special":true}`, `{"tokens":[280,104]}`},
		{"/tokenize", `{"content":[]}`, `{"tokens":[]}`},
		{"/tokenize", `{"content":"hé","with_pieces":true}`, `{"tokens":[{"id":104,"piece":"h"},{"id":195,"piece":[195]},{"id":169,"piece":[169]}]}`},
		{"/detokenize", `{"tokens":[104,195,169]}`, `{"content":"hé"}`},
		{"/detokenize", `{"tokens":[]}`, `{"content":""}`},
		{"/detokenize", `{"tokens":[280,104,195]}`, "{\"content\":\"<s>h\uFFFD\"}"},
		{"/apply-template", `{"messages":[{"role":"user","content":"x"}]}`, `{"prompt":` + quoted(chatPrompt) + `}`},
		{"/apply-template", `{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"tools":[{"type":"function"}]}`, `{"prompt":` + quoted(chatPrompt) + `}`},
		{"/apply-template", `{"messages":[{"role":"user","content":"x"}],"add_generation_prompt":false}`, `{"prompt":` + quoted(strings.TrimSuffix(chatPrompt, "<|im_start|>assistant\n")) + `}`},
	} {
		if r := h.post(c.path, c.body); r.status != 200 || string(r.body) != c.want {
			t.Errorf("%s %s: status %d: %s; want %s", c.path, c.body, r.status, r.body, c.want)
		}
	}
	h.model.Template = nil
	if r := h.post(chatPath, "{"+soundBodies[chatPath]+"}"); r.status != 400 || r.problem().Code != "no_chat_template" {
		t.Errorf("no template: status %d: %s", r.status, r.body)
	}
}
