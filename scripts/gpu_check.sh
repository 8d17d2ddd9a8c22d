#!/usr/bin/env bash
# Packs a folder that checks a GPU on a machine which has its driver and nothing else of this project.
# usage: gpu_check.sh FOLDER, with the environment of `make cuda-env`
set -euo pipefail
most_mib=60 # what a folder may weigh that is carried to a machine for one run
folder=$1
cd "$(dirname "$0")/.."
rm -rf "$folder"
mkdir -p "$folder/fixtures"
go test -c -trimpath -tags cuda -ldflags "-s -w" -o "$folder/gpu-check" ./cuda
go build -trimpath -tags cuda -ldflags "-s -w" -o "$folder/chimera-cuda" ./cmd/chimera
scripts/check_needs.sh "$folder/gpu-check"
scripts/check_needs.sh "$folder/chimera-cuda"
cp daemon/testdata/parts/*/*.gguf "$folder/fixtures"
cp scripts/gpu_check_run.sh "$folder/run.sh"
cp LICENSE "$folder"
git describe --always --dirty --abbrev=12 >"$folder/commit" 2>/dev/null || echo unknown >"$folder/commit"
mib=$(du -sm "$folder" | cut -f1)
if [ "$mib" -gt "$most_mib" ]; then
	echo "$folder has $mib MiB, at most $most_mib are allowed" >&2
	exit 1
fi
echo "packed $folder, $mib MiB. On a machine with an NVIDIA GPU: $folder/run.sh; its results belong in docs/gpu/"
