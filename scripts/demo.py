"""The demo: starts the daemon on a Unix socket and a TCP port, asks one question over both, checks and
compares the answers, stops the daemon. Exits non-zero if anything was not as it should be.

usage: demo.py CHIMERA MODEL
"""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

QUESTION = "What is the capital city of France? Answer in one sentence."
START_SECONDS = 120
STOP_SECONDS = 60


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(connection, name):
    """Streams one answer and returns it."""
    body = {
        "messages": [{"role": "user", "content": QUESTION}],
        "temperature": 0, "max_tokens": 64, "stream": True, "stream_options": {"include_usage": True},
    }
    print(f"\n{name}: {QUESTION}\n> ", end="", flush=True)
    began, first, tokens, text = time.monotonic(), None, 0, ""
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 200:
        sys.exit(f"the daemon answered {answer.status}: {answer.read().decode(errors='replace')}")
    for line in answer:
        line = line.decode().strip()
        if not line.startswith("data: ") or line == "data: [DONE]":
            continue
        event = json.loads(line[6:])
        if "error" in event:
            sys.exit(f"the stream broke off: {event['error']['message']}")
        for choice in event["choices"]:
            piece = choice["delta"].get("content") or ""
            if piece and first is None:
                first = time.monotonic()
            text += piece
            print(piece, end="", flush=True)
        if event.get("usage"):
            tokens = event["usage"]["completion_tokens"]
    if first is None:
        sys.exit("the answer was empty")
    seconds = max(time.monotonic() - first, 1e-9)
    print(f"\n  time to first token {1000 * (first - began):.0f} ms, {tokens} tokens, {max(tokens - 1, 0) / seconds:.1f} tokens/s")
    return text


def start(binary, model, folder):
    with open(os.path.join(folder, "log"), "w") as log:
        daemon = subprocess.Popen(
            [binary, "serve", "--model", model, "--socket", os.path.join(folder, "chimera.sock"), "--http", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=log, text=True)
    signal.alarm(START_SECONDS)
    line = daemon.stdout.readline()
    signal.alarm(0)
    if not line:
        daemon.wait()
        sys.exit(f"the daemon did not start (exit {daemon.returncode}):\n" + open(log.name).read())
    return daemon, json.loads(line)


def main():
    binary, model = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="chimera-demo-") as folder:
        daemon, ready = start(binary, model, folder)
        try:
            print(f"ready: {ready}")
            over_unix = ask(UnixConnection(ready["socket"]), "Unix socket")
            over_tcp = ask(http.client.HTTPConnection(ready["http"], timeout=120), "TCP")
        finally:
            daemon.send_signal(signal.SIGTERM)
            code = daemon.wait(STOP_SECONDS)
        if code != 0:
            sys.exit(f"the daemon stopped with exit code {code}:\n" + open(os.path.join(folder, "log")).read())
        if os.path.exists(ready["socket"]):
            sys.exit("the daemon left its socket behind")
    if over_unix != over_tcp:
        sys.exit("the two answers differ")
    if "Paris" not in over_unix:
        sys.exit("the answer does not name Paris")
    print("\nboth answers are the same and name Paris; the daemon stopped cleanly")


main()
