#!/usr/bin/env bash
# Compiles cuda/kernels/*.cu into cuda/kernels.fatbin: code for each architecture and PTX for later ones.
# What was compiled before from the same sources and flags is taken from the cache.
# usage: kernels.sh CUDA_HOME CACHE
set -euo pipefail
home=$(realpath "$1")
cache=$2
cd "$(dirname "$0")/.."
# -fmad=false: the CPU's arithmetic, operation by operation; fma is written out where it is meant.
# sm_80 A100, sm_86 A10 and RTX 30, sm_89 L4 and RTX 40, sm_90a H100 and H200.
# The path goes into the names of what is static, so each machine gives the same one.
flags=(-O3 -std=c++17 -fmad=false -Xcicc --orig_src_path_name=/kernels.cu -Werror all-warnings -ccbin "${CXX:-g++}"
	-gencode arch=compute_80,code=sm_80 -gencode arch=compute_86,code=sm_86
	-gencode arch=compute_89,code=sm_89 -gencode arch=compute_90a,code=sm_90a
	-gencode arch=compute_80,code=compute_80 --compress-mode=size --threads 2)
key=$({
	printf '%s\n' "${flags[@]}"
	sha256sum scripts/cuda_requirements.txt cuda/plan.h cuda/kernels/*.cu cuda/kernels/*.cuh cgo/*.h
} | sha256sum | cut -c1-32)
kept=$cache/kernels-$key.fatbin
if [ ! -s "$kept" ]; then
	echo "cuda: compiling the kernels" >&2
	mkdir -p "$cache"
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	# One unit for all families gives one image to load.
	ls cuda/kernels/*.cu | sed 's/.*/#include "&"/' >"$work/kernels.cu"
	"$home/bin/nvcc" "${flags[@]}" -I . -fatbin -o "$work/kernels.fatbin" "$work/kernels.cu"
	mv "$work/kernels.fatbin" "$kept.$$"
	mv "$kept.$$" "$kept"
fi
cmp -s "$kept" cuda/kernels.fatbin || cp "$kept" cuda/kernels.fatbin
