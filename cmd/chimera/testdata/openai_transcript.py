"""Prints what the real openai package gets from a daemon, as JSON that depends on the answers alone: two daemons that
compute the same print the same. usage: openai_transcript.py BASE_URL UNIX_SOCKET"""
import json
import sys

try:
    import httpx2 as httpx  # what newer openai packages are built on
except ImportError:
    import httpx
from openai import OpenAI

base, path = sys.argv[1:]
over_tcp = OpenAI(base_url=base + "/v1", api_key="none", max_retries=0)
over_unix = OpenAI(base_url="http://localhost/v1", api_key="none", max_retries=0,
                   http_client=httpx.Client(transport=httpx.HTTPTransport(uds=path)))
model = over_tcp.models.list().data[0].id
messages = [{"role": "user", "content": "ab ba"}]


def choices(answer):
    return [c.model_dump() for c in answer.choices]


transcript = []
for client in (over_tcp, over_unix):
    transcript += [
        choices(client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=12, logprobs=True, top_logprobs=3)),
        choices(client.chat.completions.create(model=model, messages=messages, temperature=1.2, top_p=0.9, seed=3, n=3, max_tokens=8)),
        choices(client.completions.create(model=model, prompt=[[1, 5, 9], [2, 4]], max_tokens=10, temperature=0.8, seed=1, presence_penalty=1,
                                          frequency_penalty=0.5, logit_bias={"7": 2}, logprobs=2, echo=True)),
    ]
    stream = client.completions.create(model=model, prompt=[3] * 40, max_tokens=20, temperature=0, stream=True)
    transcript.append("".join(c.choices[0].text for c in stream if c.choices))
json.dump(transcript, sys.stdout)
