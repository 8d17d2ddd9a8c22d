"""What the real openai package sees of the daemon. usage: openai_client.py BASE_URL UNIX_SOCKET"""
import json
import sys

try:
    import httpx2 as httpx  # what newer openai packages are built on
except ImportError:
    import httpx
from openai import BadRequestError, NotFoundError, OpenAI

base, path = sys.argv[1:]
over_tcp = OpenAI(base_url=base + "/v1", api_key="none", max_retries=0)
over_unix = OpenAI(base_url="http://localhost/v1", api_key="none", max_retries=0,
                   http_client=httpx.Client(transport=httpx.HTTPTransport(uds=path)))
messages = [{"role": "user", "content": "What is the capital city of France? Answer in one sentence."}]


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def refused(kind, call, param):
    try:
        call()
    except kind as e:
        check(e.body["param"] == param and e.body["message"], f"{param}: error body {e.body}")
        return
    sys.exit(f"FAILED: {param} was accepted")


answers = []
for client in (over_tcp, over_unix):
    model = client.models.list().data[0].id
    check(client.models.retrieve(model).id == model, "models.retrieve")
    chat = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=32, logprobs=True, top_logprobs=3)
    text = chat.choices[0].message.content
    check("Paris" in text and chat.choices[0].finish_reason == "stop", f"chat: {text!r}")
    check(chat.usage.completion_tokens - 1 == len(chat.choices[0].logprobs.content), "every token but the end token has logprobs")
    check(all(len(t.top_logprobs) == 3 and t.logprob <= 0 for t in chat.choices[0].logprobs.content), "top_logprobs")
    check(chat.system_fingerprint.startswith("fp_"), "system_fingerprint")
    pieces, usage = [], None
    for chunk in client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=32, stream=True, stream_options={"include_usage": True}):
        pieces += [c.delta.content or "" for c in chunk.choices]
        usage = chunk.usage or usage
    check("".join(pieces) == text, f"streaming gives {''.join(pieces)!r}, not {text!r}")
    check(usage.completion_tokens == chat.usage.completion_tokens, "usage of the stream")
    stopped = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=32, stop=[" is", "never"])
    check(stopped.choices[0].message.content == text.split(" is")[0], f"stop: {stopped.choices[0].message.content!r}")
    several = client.chat.completions.create(model=model, messages=messages, temperature=1.5, seed=7, n=3, max_tokens=8)
    check(len({c.message.content for c in several.choices}) > 1 and [c.index for c in several.choices] == [0, 1, 2], "n")
    again = client.chat.completions.create(model=model, messages=messages, temperature=1.5, seed=7, n=3, max_tokens=8)
    check([c.message.content for c in again.choices] == [c.message.content for c in several.choices], "seed")
    c = client.completions.create(model=model, prompt="The capital of France is", max_tokens=4, temperature=0, logprobs=2, echo=True)
    l = c.choices[0].logprobs
    check(c.choices[0].text.startswith("The capital of France is Paris"), f"echo: {c.choices[0].text!r}")
    check(l.token_logprobs[0] is None and l.top_logprobs[0] is None and len(l.tokens) == len(l.token_logprobs) == 9, "echo logprobs")
    check(l.text_offset[1] == 3, "text_offset")
    ids = json.loads(httpx.post(base + "/tokenize", json={"content": "The capital of France is"}).text)["tokens"]
    by_ids = client.completions.create(model=model, prompt=[ids, ids], max_tokens=4, temperature=0, logprobs=1, extra_body={"return_tokens_as_token_ids": True})
    check(len(by_ids.choices) == 2 and "The capital of France is" + by_ids.choices[1].text == c.choices[0].text, "token-id prompts")
    check(all(t.startswith("token_id:") for t in by_ids.choices[0].logprobs.tokens), "return_tokens_as_token_ids")
    scored = client.completions.create(model=model, prompt=ids, max_tokens=0, temperature=0, logprobs=1, echo=True)
    check(scored.choices[0].logprobs.token_logprobs[1:] == l.token_logprobs[1:5], "max_tokens 0 scores the prompt alike")
    refused(BadRequestError, lambda: client.completions.create(model=model, prompt="x", temperature=-1), "temperature")
    refused(BadRequestError, lambda: client.completions.create(model=model, prompt=[1 << 30]), "prompt")
    refused(NotFoundError, lambda: client.completions.create(model="nobody", prompt="x"), "model")
    answers.append((text, c.choices[0].text, l.token_logprobs))
check(answers[0] == answers[1], "TCP and the Unix socket give the same answers")
print("ok")
