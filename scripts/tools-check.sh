#!/usr/bin/env bash
# Names each tool that is missing and how to get it.
set -u
missing=0
need() { # command, what it is for, how to get it
	command -v "$1" >/dev/null 2>&1 && return
	echo "missing: $1 ($2). Get it: $3" >&2
	missing=1
}
need go "the Go compiler, 1.26 or later" "your distribution's golang package, or the archive of go.dev"
need gcc "the C compiler of the kernels" "apt-get install gcc / dnf install gcc"
need "${PYTHON:-python3}" "it fetches the demo's model and runs the client tests" "apt-get install python3 python3-venv / dnf install python3"
[ "$missing" = 0 ] || exit 1
version=$(go env GOVERSION 2>/dev/null)
case "$version" in
go1.2[6-9]* | go1.[3-9][0-9]* | go[2-9]*) ;;
*)
	echo "go is $version; 1.26 or later is needed" >&2
	exit 1
	;;
esac
