#!/usr/bin/env bash
# Names each tool that is missing and how to get it.
set -u
missing=0
lacks() { # what, what it is for, how to get it
	echo "missing: $1 ($2). Get it: $3" >&2
	missing=1
}
has() { command -v "$1" >/dev/null 2>&1; }

if ! has go; then
	lacks go "the Go compiler, 1.26 or later" "the archive of go.dev/dl, or your distribution's golang package if it is that new"
else
	case "$(go env GOVERSION 2>/dev/null)" in
	go1.2[6-9]* | go1.[3-9][0-9]* | go[2-9]*) ;;
	*) lacks "go 1.26" "this is $(go env GOVERSION 2>&1 | tail -n 1)" "the archive of go.dev/dl" ;;
	esac
fi
if ! has gcc; then
	lacks gcc "the C compiler of the kernels" "apt-get install gcc libc6-dev / dnf install gcc"
elif ! echo '#include <stdlib.h>' | gcc -E - >/dev/null 2>&1; then
	lacks "C headers" "gcc does not find stdlib.h" "apt-get install libc6-dev / dnf install glibc-devel"
elif has go && [ "$(go env CGO_ENABLED 2>/dev/null)" = 0 ]; then
	lacks cgo "CGO_ENABLED is 0, and the kernels are C" "unset CGO_ENABLED, or go env -w CGO_ENABLED=1"
fi
python=${PYTHON:-python3}
if ! has "$python"; then
	lacks "$python" "it gets the demo's model and runs the client tests" "apt-get install python3 python3-venv / dnf install python3"
elif ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
	lacks "$python's venv" "the model and the client tests come by pip" "apt-get install python3-venv / dnf install python3-pip"
fi
exit $missing
