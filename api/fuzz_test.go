package api

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"
)

// fuzzed are the endpoints that read a body, in the order by which FuzzBody chooses.
var fuzzed = []string{chatPath, textPath, "/tokenize", "/detokenize", "/apply-template"}

// FuzzBody sends arbitrary bodies: the answer is a success or an error in OpenAI's form that blames the
// client, small in proportion to the body, and nothing panics.
func FuzzBody(f *testing.F) {
	for i, path := range fuzzed {
		f.Add(byte(i), "{"+soundBodies[path]+"}")
		f.Add(byte(i), "{"+soundBodies[path]+`,"model":"second","n":3,"stream":true,"stream_options":{"include_usage":true},"logprobs":true,"top_logprobs":3}`)
		f.Add(byte(i), "{"+soundBodies[path]+`,"logit_bias":{"":"x"},"stop":["a",null],"tools":[{}],"chat_template_kwargs":{"a":[1e999]}}`)
		f.Add(byte(i), "{"+soundBodies[path]+`,"echo":true,"logprobs":5,"min_tokens":2,"seed":-1,"with_pieces":true,"add_special":true}`)
		f.Add(byte(i), `{"prompt":[[1,2],[null]],"messages":[{"role":"tool","content":[{"type":"text","text":"\ud83d\ude42"}],"tool_calls":[{}]}],"tokens":[255,256]}`)
		f.Add(byte(i), strings.Repeat("[", 200))
		f.Add(byte(i), "{\"\xff\":1}")
		f.Add(byte(i), "null")
	}
	h := newBench(f, letters)
	h.Registry = names{[]string{"first"}, h.model}
	f.Fuzz(func(t *testing.T, endpoint byte, body string) {
		path := fuzzed[int(endpoint)%len(fuzzed)]
		r := (&bench{Server: h.Server, t: t}).post(path, body)
		streamed := string(r.header.ContentType()) == "text/event-stream"
		switch {
		case r.status == fasthttp.StatusOK && streamed:
			r.events()
		case r.status == fasthttp.StatusOK:
			if !jsontext.Value(r.body).IsValid() {
				t.Fatalf("no JSON: %q", r.body)
			}
		case r.status >= 400 && r.status < 500 && r.problem().Message != "" && len(r.body) < 4096:
		default:
			t.Fatalf("status %d: %.600s", r.status, r.body)
		}
		var object map[string]jsontext.Value
		if err := json.Unmarshal([]byte(body), &object); err != nil && r.status == fasthttp.StatusOK {
			t.Fatalf("what is no JSON object (%v) was answered: %.600s", err, r.body)
		}
	})
}
