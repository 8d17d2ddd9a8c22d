package main

// This file owns the part of the list that is the daemon's own requests beside clients', and embeddings as requests like others.

func init() { list = append(list, ownAndStates...) }

var ownAndStates = []mutant{
	// Own requests.
	{
		name: "own-requests-run-as-clients", file: "scheduler/lane.go", pkg: "scheduler", tests: []string{"TestOwnRequestsAreApart", "TestPinsAreOwn"},
		old: "snap.Running = len(s.running) - s.ownRuns", new: "snap.Running = len(s.running)",
	},
	{
		name: "own-requests-wait-as-clients", file: "scheduler/lane.go", pkg: "scheduler", tests: []string{"TestOwnRequestsAreApart"},
		old: "= s.queue.requests-s.queue.own, s.gov", new: "= s.queue.requests, s.gov",
	},
	{
		name: "own-requests-sent-back-are-clients", file: "scheduler/admission.go", pkg: "scheduler", tests: []string{"TestOwnRequestsAreApart"},
		old: "demand{class: r.Class, own: r.Own, tenant", new: "demand{class: r.Class, own: r.Own && seq.releases == 0, tenant",
	},
	{
		name: "pins-are-clients", file: "scheduler/pins.go", pkg: "scheduler", tests: []string{"TestPinsAreOwn"},
		old: "Class: Background, Own: true, Sampling", new: "Class: Background, Sampling",
	},
	{
		name: "own-work-that-hangs-unseen", file: "scheduler/lane.go", pkg: "daemon", tests: []string{"TestWatchdogNoticesALoopThatHangs"},
		old: "return s.Running+s.Waiting+s.Own.Running+s.Own.Waiting > 0", new: "return s.Running+s.Waiting > 0",
	},
	{
		name: "own-requests-prove-readiness", file: "daemon/ready.go", pkg: "daemon", tests: []string{"TestReadinessBesideOwnRequests"},
		old: "if now.Running == 0 {", new: "if now.Running+now.Own.Running == 0 {",
	},
	{
		name: "own-holds-are-uses", file: "daemon/runtime.go", pkg: "daemon", tests: []string{"TestOwnHoldsKeepAModel"},
		old: "		r.own--\n", new: "		r.own--\n		r.used = time.Now()\n",
	},
	{
		name: "own-holds-hide-idleness", file: "daemon/runtime.go", pkg: "daemon", tests: []string{"TestOwnRequestsAreNoClients"},
		old: "if r.holds == r.own && now", new: "if r.holds == 0 && now",
	},
	{
		name: "own-holds-begin-keep-alive-anew", file: "daemon/runtime.go", pkg: "daemon", tests: []string{"TestOwnHoldsKeepAModel"},
		old: "time.AfterFunc(max(0, keep-time.Since(r.used)), func", new: "time.AfterFunc(keep, func",
	},
	{
		name: "asked-suites-are-clients", file: "api/ask.go", pkg: "api", tests: []string{"TestAskingIsOwn"},
		old: "own.Class, own.Own, own.Priority, own.Salt = scheduler.Background, true,", new: "own.Class, own.Own, own.Priority, own.Salt = scheduler.Background, false,",
	},
	{
		name: "asked-again-is-a-client", file: "api/ask.go", pkg: "api", tests: []string{"TestAskingIsOwn"},
		old: "r.Class, r.Own, r.Idle, r.Priority, r.Tenant, r.Deadline = scheduler.Background, true,", new: "r.Class, r.Own, r.Idle, r.Priority, r.Tenant, r.Deadline = scheduler.Background, false,",
	},
	// Rows that are there for their states.
	{
		name: "logits-of-states", file: "cgo/draw.h", pkg: "cgo", tests: []string{"TestTapsAloneFormNoLogits"},
		old: "		if (!taps_alone(&o[i]))", new: "		if (o[i].row >= 0)",
	},
	{
		name: "no-logits-beside-states", file: "cgo/draw.h", pkg: "cgo", tests: []string{"TestTapsAloneFormNoLogits"},
		old: "		if (!taps_alone(&o[i]))", new: "		if (!taps_alone(&o[0]))",
	},
	{
		name: "no-logits-of-tapped-samples", file: "cgo/draw.h", pkg: "cgo", tests: []string{"TestReference"},
		old: "return o->mode == OUTPUT_TAPPED && o->top == 0 && o->target_count == 0;", new: "return o->mode & OUTPUT_TAPPED;",
	},
	{
		name: "states-of-rows-before", file: "cgo/op_head.c", pkg: "cgo", tests: []string{"TestTapsAloneFormNoLogits"},
		old: "		b->results[row] = (struct result){0};\n", new: "",
	},
	{
		name: "states-that-are-no-numbers", file: "engine/batch_fill.go", pkg: "engine", tests: []string{"TestTapsAlone"},
		old: "func notFinite(x float32) bool { return x-x != 0 }", new: "func notFinite(x float32) bool { return x != x }",
	},
	{
		name: "states-cost-logits", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestPoolingIsPredicted"},
		old: "s.next.shape.Outputs = batch.LogitRows()", new: "s.next.shape.Outputs = len(batch.Outputs)",
	},
	{
		name: "states-are-charged-logits", file: "scheduler/plan.go", pkg: "scheduler", tests: []string{"TestPoolingIsCharged"},
		old: "	if !c.seq.request.Pool {\n		n = c.scored\n	}\n", new: "	n = c.scored\n",
	},
	// Embeddings as requests.
	{
		name: "embeddings-count-for-nobody", file: "api/pooling.go", pkg: "api", tests: []string{"TestEmbeddingsCount"},
		old: "	defer p.account()\n", new: "",
	},
	{
		name: "embeddings-without-tokens", file: "api/pooling.go", pkg: "api", tests: []string{"TestEmbeddingsCount", "TestEmbeddings"},
		old: "f.promptTokens += len(requests[i].Prompt)", new: "f.promptTokens += 0 * len(requests[i].Prompt)",
	},
	{
		name: "embeddings-unrecorded", file: "api/pooling.go", pkg: "api", tests: []string{"TestEmbeddingsCount"},
		old: "		p.ended(i, Ended{Err: err})\n", new: "",
	},
	{
		name: "vectors-of-two-weights", file: "api/pooling.go", pkg: "api", tests: []string{"TestVectorsOfTheSameWeights"},
		old: "if which = p.outdated(); len(which) == 0 {", new: "if which = nil; len(which) == 0 {",
	},
	{
		name: "vectors-are-never-forgotten", file: "api/call.go", pkg: "api", tests: []string{"TestVectorsAreBounded"},
		old: "	c.forgetVectors()\n", new: "",
	},
	{
		name: "vectors-without-bound", file: "api/memory.go", pkg: "api", tests: []string{"TestVectorsAreBounded"},
		old: "	if !c.server.budgets.vectors.TryAcquire(bytes) {", new: "	if c.server.budgets.vectors.TryAcquire(bytes); bytes < 0 {",
	},
	{
		name: "more-vectors-than-ever", file: "api/memory.go", pkg: "api", tests: []string{"TestVectorsAreBounded"},
		old: "	if bytes > mostVectorBytes {", new: "	if bytes < 0 {",
	},
	{
		name: "the-first-text-is-to-blame", file: "api/pooling.go", pkg: "api", tests: []string{"TestEmbeddingErrorsNameTheText"},
		old: "return p.named(refused, which[one.Request])", new: "return p.named(refused, 0*one.Request)",
	},
	{
		name: "spoilt-text-unnamed", file: "api/pooling.go", pkg: "api", tests: []string{"TestEmbeddingErrorsNameTheText"},
		old: "failed = p.failed(err, i)", new: "failed = err",
	},
	{
		name: "bad-request-of-a-group", file: "scheduler/admission.go", pkg: "scheduler", tests: []string{"TestRefusedGroupNamesTheRequest"},
		old: "return nil, &RequestError{i, err}", new: "return nil, &RequestError{0 * i, err}",
	},
}
