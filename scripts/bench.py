"""Speed of Chimera, and of llama.cpp beside it when its binaries are given: prefill and decode of the
engine, then both servers under 1 and 8 clients by the same load generator. The two take turns, so that a
noisy machine is noisy for both. Prints a Markdown table of best and median.

usage: bench.py CHIMERA MODEL [--peer FOLDER] [--threads 2] [--rounds 3] [--requests 32]
"""
import argparse
import json
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

ENGINE = {"prefill 512 (tokens/s)": ("prefill", 512, 0), "decode 64 (tokens/s)": ("decode", 0, 64)}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("chimera")
    p.add_argument("model")
    p.add_argument("--peer", help="folder with llama-bench and llama-server")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--requests", type=int, default=32, help="requests of each load, per round")
    return p.parse_args()


def output(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options).stdout


def chimera_engine(a, phase):
    text = output(a.chimera, "bench", "engine", "--model", a.model, "--threads", str(a.threads), "--rows", "", "--json")
    return json.loads(text)[f"{phase}_tokens_per_second"]


def peer_engine(a, prompt, generate):
    text = output(f"{a.peer}/llama-bench", "-m", a.model, "-t", str(a.threads), "-p", str(prompt), "-n", str(generate), "-r", "3", "-o", "json")
    return json.loads(text)[0]["avg_ts"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_ready(url, path):
    for _ in range(600):
        try:
            return urllib.request.urlopen(url + path, timeout=5).read()
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} did not become ready")


def load(a, server, clients):
    """One load against a server that is started for it: what its clients saw."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        if server == "chimera":
            command = [a.chimera, "serve", "--model", a.model, "--socket", f"{folder}/c.sock", "--http", f"127.0.0.1:{port}", "--threads", str(a.threads)]
        else:
            command = [f"{a.peer}/llama-server", "-m", a.model, "-t", str(a.threads), "-np", "8", "-c", "8192", "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_ready(url, "/health/ready" if server == "chimera" else "/health")
            common = [a.chimera, "bench", "serve", "--server", url, "--json", "--clients", str(clients)]
                report = json.loads(output(*common, "--requests", str(a.requests)))
        finally:
            process.terminate()
            process.wait()
    return {
        "requests/s": report["qps"], "tokens/s": report["tokens_per_second"],
        "time to first token p50 (ms)": report["ttft"]["p50_ms"], "p99 (ms)": report["ttft"]["p99_ms"],
        "between tokens p50 (ms)": report["itl"]["p50_ms"], "load generator (cores)": report["own_cpu_share"],
    }


def measure(a):
    """{row: {server: [a figure a round]}}"""
    table = {}
    servers = ["chimera"] + (["llama.cpp"] if a.peer else [])

    def note(row, server, figure):
        table.setdefault(row, {}).setdefault(server, []).append(figure)

    for _ in range(a.rounds):
        for row, (phase, prompt, generate) in ENGINE.items():
            for server in servers:
                note(row, server, chimera_engine(a, phase) if server == "chimera" else peer_engine(a, prompt, generate))
        for clients in (1, 8):
            for server in servers:
                for name, figure in load(a, server, clients).items():
                    note(f"{clients} client{'s' if clients > 1 else ''}: {name}", server, figure)
    return servers, table


def main():
    a = arguments()
    servers, table = measure(a)
    print("| | " + " | ".join(f"{s} best | {s} median" for s in servers) + " |")
    print("| --- |" + " ---: |" * 2 * len(servers))
    for row, figures in table.items():
        best = min if "(ms)" in row or "(cores)" in row else max
        cells = (f"{best(figures[s]):.4g} | {statistics.median(figures[s]):.4g}" for s in servers)
        print(f"| {row} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
