# Chimera. `make help` lists what there is.

SHELL       := /bin/bash
PYTHON      ?= python3
CACHE       ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/chimera
VENV        := .venv
TOOLS       := $(CURDIR)/.tools
SMOLLM2     := $(CACHE)/models/smollm2-135m-instruct-q4_1.gguf
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 60s
SOAK        ?= 1h
CUDA_HOME   := $(TOOLS)/cuda/nvidia/cu13
CUDA_ENV    := CGO_CFLAGS="-g -O2 -Wno-deprecated-declarations -I$(CURDIR)/cuda/include -I$(CUDA_HOME)/include" CGO_LDFLAGS="-g -O2 -L$(TOOLS)/cuda/link"
# What 'chimera version' names. An archive has no history: COMMIT and DATE can be given.
COMMIT      ?= $(shell git rev-parse HEAD 2>/dev/null && { git diff --quiet HEAD || echo -modified; })
DATE        ?= $(shell git show -s --format=%cI HEAD 2>/dev/null)
STAMP        = -ldflags "-X 'main.commit=$(subst $() ,,$(COMMIT))' -X 'main.date=$(DATE)'"
export CHIMERA_SMOLLM2 ?= $(wildcard $(SMOLLM2))

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' Makefile

tools-check: ## name the tools that are missing and how to get them
	@scripts/tools-check.sh

build: tools-check ## build bin/chimera
	go build -trimpath $(STAMP) -o bin/chimera ./cmd/chimera

# The model and the CUDA compiler come by pip: a virtual environment has it, a distribution's Python need not.
$(VENV)/bin/pip: | tools-check
	$(PYTHON) -m venv --clear $(VENV)

cuda-kernels: $(VENV)/bin/pip ## get the CUDA compiler (104 MB, cached in .tools) and compile the kernels
	PYTHON=$(VENV)/bin/python scripts/cuda_tools.sh $(TOOLS)/cuda
	scripts/kernels.sh $(CUDA_HOME) $(CACHE)

cuda: cuda-kernels ## build bin/chimera-cuda, which computes on GPUs too; needs neither GPU nor driver
	$(CUDA_ENV) go build -trimpath $(STAMP) -tags cuda -o bin/chimera-cuda ./cmd/chimera
	scripts/check_needs.sh bin/chimera-cuda

test-cuda: cuda deps ## vet and test the cuda build, on a driver of its own that runs the kernels on the CPU
	$(CUDA_ENV) go vet -tags cuda ./...
	$(CUDA_ENV) go test -timeout 20m -tags cuda ./cuda/... ./gpu ./internal/deptest
	$(CUDA_ENV) go test -timeout 20m -tags cuda -run Conformance ./daemon
	$(CUDA_ENV) CHIMERA_PYTHON=$(CURDIR)/$(VENV)/bin/python go test -timeout 20m -tags cuda -run GPU ./cmd/chimera

race-cuda: cuda-kernels ## the cuda build's packages under the race detector
	$(CUDA_ENV) go test -race -timeout 20m -tags cuda ./cuda ./gpu

asan-cuda: cuda-kernels ## the GPU kernels, compiled for the host, under the address and undefined-behaviour sanitizers
	$(CUDA_ENV) CHIMERA_CUDA_ASAN=1 go test -timeout 20m -tags cuda ./cuda/...

gpu-check: cuda ## pack bin/gpu-check: a folder whose run.sh checks and measures a GPU, with no more than its driver
	$(CUDA_ENV) scripts/gpu_check.sh bin/gpu-check

cuda-env: ## the environment for go vet, build and test with -tags cuda: eval "$$(make -s cuda-env)"
	@echo 'export $(CUDA_ENV)'

model: $(VENV)/bin/pip ## get SmolLM2-135M-Instruct (98 MB, checksum verified, cached)
	$(VENV)/bin/python scripts/fetch_model.py $(SMOLLM2)

demo: build ## answer a question with a real model over Unix socket and TCP (MODEL=path for your own)
	@[ -n "$(MODEL)" ] || $(MAKE) --no-print-directory model
	$(PYTHON) scripts/demo.py bin/chimera "$(or $(MODEL),$(SMOLLM2))"

# The marker is written last: what was cut off, or wants other versions, is installed again.
$(VENV)/installed: scripts/requirements.txt $(VENV)/bin/pip
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

deps: model $(VENV)/installed ## install everything the tests need: Go modules, the model, Python clients
	go mod download

test: deps build ## all tests
	CHIMERA_SMOLLM2=$(SMOLLM2) CHIMERA_PYTHON=$(CURDIR)/$(VENV)/bin/python go test -timeout 20m ./...

test-conformance: tools-check ## the conformance and golden folders (CHIMERA_CONFORMANCE, CHIMERA_GOLDEN)
	go test -count=1 -v -run 'Conformance|Golden|Fixtures' ./daemon ./tokenizer ./chat/... ./weights

race: tools-check ## the tests of concurrent packages under the race detector
	go test -race -short -timeout 20m ./scheduler ./api ./socket ./daemon ./client ./hostmem ./systemd ./engine ./store ./cgo
	go test -race -short -timeout 20m -run 'Neighbours|Beside|Undisturbed' ./cgo/cgotest

# Two runs that know nothing of each other. The first is most of it (40 minutes, the second 3): it instruments the Go of the tests too.
asan: asan-address asan-undefined ## the C code under the address and undefined-behaviour sanitizers (-j2: both at once)

# Checks make of each vector kernel one region of thousands of values, over which gcc's register allocator takes two thirds of the time: with one region a
# function avx512.c compiles in 26 s under the address sanitizer, and else in 57. The second run's 14 s are the same.
SANITIZED = -g -O1 -fira-region=one -Wno-maybe-uninitialized -fno-var-tracking-assignments

asan-address: tools-check
	CGO_CFLAGS="$(SANITIZED) -fno-omit-frame-pointer" go test -tags unoptimised -asan -timeout 60m ./cgo/...

asan-undefined: tools-check
	CGO_CFLAGS="$(SANITIZED) -fsanitize=undefined -fno-sanitize-recover=all" CGO_LDFLAGS="-fsanitize=undefined" go test -tags unoptimised -timeout 60m ./cgo/...

fuzz: tools-check ## each fuzz target for FUZZTIME
	@grep -o '^func Fuzz[A-Za-z0-9]*' */*_test.go */*/*_test.go | while IFS=: read -r file name; do \
		set -x; go test -run '^$$' -fuzz "^$${name#func }$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "./$${file%/*}" || exit 1; \
	done

soak: tools-check ## one daemon under random load for SOAK; each answer as alone, nothing grows (CHIMERA_SOAK_SEED repeats one)
	CHIMERA_SOAK=$(SOAK) go test -count=1 -v -timeout 0 -run Soak ./cmd/chimera

mutants: tools-check ## small changes to a copy of the code, each with tests that must fail (M="NAME ..." for some)
	go run ./internal/mutants $(M)

lint: $(VENV)/installed ## gofmt, go vet, staticcheck, clang-format
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'lint: run gofmt -w on the files above' >&2; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...
	$(VENV)/bin/clang-format --dry-run --Werror cgo/*.[ch] cuda/*.[ch] cuda/include/*.h cuda/kernels/*.cu* cuda/emulation/*.cc cuda/emulation/*.h

lint-cuda: cuda-kernels ## go vet and staticcheck of the cuda build
	$(CUDA_ENV) go vet -tags cuda ./...
	$(CUDA_ENV) $(STATICCHECK) -tags cuda ./...

PEERS = go run ./bench/peer -chimera bin/chimera $(if $(PEER),-peer $(PEER)) $(if $(IK),-ik $(IK)) $(if $(ROUNDS),-rounds $(ROUNDS)) $(if $(ISA),-isa $(ISA))
PEER_GIVEN = @[ -n "$(PEER)" ] || { echo '$@: PEER=folder with the binaries of llama.cpp is missing: docs/BENCHMARKS.md says how to build them' >&2; exit 1; }

bench: build model ## speed on the model; PEER=folder with llama-bench and llama-server sets them beside (ROUNDS=3)
	$(PEERS) -model $(SMOLLM2) -rows engine,unique-1,unique-8

# A variable of their own: within or, commas would part them.
SERVE_ROWS = unique-8,unique-32,repeated-8,repeated-32,started-8,started-32,shared,long,overload,tenants,models
bench-serve: build model ## serving under load, beside PEER=folder with llama-server and llama-bench (ROUNDS=3, ROWS=list of some)
	$(PEERS) -model $(SMOLLM2) -rows $(or $(ROWS),$(SERVE_ROWS))

bench-models: model ## make the files of bench-peer: each type of weights, written by llama-quantize in PEER=folder (3.2 GB, cached)
	$(PEER_GIVEN)
	go run ./bench/models -quantize $(PEER)/llama-quantize -model $(SMOLLM2) -folder $(CACHE)/bench

# Batches and long prompts are measured on two files: a small model that people have, and large matrices.
MODELS    ?= $(wildcard $(CACHE)/bench/*.gguf)
LONG       = $(filter %/smollm2-q4_1.gguf %/random-q4_k.gguf,$(MODELS))
LONG_ROWS  = batch-8,batch-32,prompt-4096

bench-peer: ROUNDS ?= 5
bench-peer: build ## engines alone, beside PEER=folder of llama.cpp and IK=folder of ik_llama.cpp (ROUNDS=5, MODELS="files", ISA=avx2)
	$(PEER_GIVEN)
	@[ -n "$(MODELS)" ] || { echo 'bench-peer: there are no files: make bench-models first, or give MODELS="files"' >&2; exit 1; }
	$(PEERS) $(addprefix -model ,$(MODELS)) -rows engine
	$(if $(LONG),$(PEERS) $(addprefix -model ,$(LONG)) -rows $(LONG_ROWS))

policy-tables: ## the tables of docs/POLICY.md anew, by the simulator
	go test -count=1 -timeout 20m -run 'CostTables|PolicyTables|CharacteristicTable' ./scheduler ./scheduler/simulator -rewrite

clean: ## remove what was built
	rm -rf bin $(VENV) $(TOOLS)

.PHONY: soak bench-serve bench-models bench-peer help tools-check build model demo deps test test-conformance race asan asan-address asan-undefined fuzz mutants lint bench policy-tables clean cuda cuda-kernels cuda-env test-cuda race-cuda asan-cuda lint-cuda gpu-check
