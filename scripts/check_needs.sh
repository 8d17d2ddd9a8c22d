#!/usr/bin/env bash
# Fails if a binary needs more of a machine than glibc: a driver's symbol that the shim lacks would link
# silently and end the process when it is called. Says which glibc it needs: a machine or an image with an older one does
# not start it.
# usage: check_needs.sh BINARY
set -euo pipefail
if symbols=$(nm -D --undefined-only "$1" | grep ' cu[A-Z]'); then
	echo "$1 needs driver symbols that cuda/shim_symbols.h lacks:" >&2
	echo "$symbols" >&2
	exit 1
fi
if others=$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc|libm|libpthread|libdl|libresolv|ld-linux-x86-64)\.so'); then
	echo "$1 needs libraries beyond glibc: $others" >&2
	exit 1
fi
echo "$1 needs $(readelf -W --dyn-syms "$1" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1 | tr _ ' ') or later" | sed 's/GLIBC/glibc/'
