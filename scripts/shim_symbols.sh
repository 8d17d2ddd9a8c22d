#!/usr/bin/env bash
# Prints cuda/shim_symbols.h: every driver symbol that the binary refers to and cu itself does not define.
# usage: eval "$(make -s cuda-env)"; scripts/shim_symbols.sh >cuda/shim_symbols.h
set -euo pipefail
cd "$(dirname "$0")/.."
cu=$(go list -tags cuda -export -f '{{.Export}}' gorgonia.org/cu)
ours=$(go list -tags cuda -export -f '{{.Export}}' chimera/cuda)
defined=$(nm --defined-only "$cu" 2>/dev/null | awk '$2 == "T" && $3 ~ /^cu[A-Z]/ {print $3}' | sort -u)
echo "/* Driver symbols that the binary refers to: written by scripts/shim_symbols.sh. */"
nm --undefined-only "$cu" "$ours" 2>/dev/null | awk '$1 == "U" && $2 ~ /^cu[A-Z]/ {print $2}' | sort -u |
	grep -vxF "$defined" | sed 's/.*/SYMBOL(&)/'
