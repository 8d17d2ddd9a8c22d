#!/usr/bin/env bash
# Installs the CUDA compiler into a folder of its own, once for each state of the list of wheels.
# usage: cuda_tools.sh FOLDER
set -euo pipefail
folder=$1
list=$(dirname "$0")/cuda_requirements.txt
stamp=$folder/installed
cmp -s "$list" "$stamp" && exit 0
command -v g++ >/dev/null || { echo "missing: g++ (nvcc preprocesses with it). Get it: apt-get install g++ / dnf install gcc-c++" >&2; exit 1; }
echo "cuda: getting the compiler (104 MB) into $folder" >&2
rm -rf "$folder"
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
	--no-deps --only-binary=:all: --require-hashes --target "$folder" -r "$list"
# What -lcuda finds: an archive of nothing. The shim has every driver symbol, and finding the real library,
# where there is one, would make the binary need it.
mkdir -p "$folder/link"
printf '!<arch>\n' >"$folder/link/libcuda.a"
cp "$list" "$stamp"
