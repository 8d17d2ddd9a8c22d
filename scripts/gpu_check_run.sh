#!/bin/sh
# Checks this machine's first GPU against the CPU and measures it. It needs the NVIDIA driver alone and takes
# ten minutes at most. The results, NAME.json and NAME.md by the GPU's name, belong in docs/gpu/ of the sources.
# usage: run.sh [FOLDER], where the results go: by default beside this script
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/results}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cd "$here"
CHIMERA_CUDA_CHILD=check exec ./gpu-check "$folder"
