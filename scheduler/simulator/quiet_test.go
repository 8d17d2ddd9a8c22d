package simulator

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"chimera/scheduler"
	"chimera/scheduler/trace"
)

// This file owns the test of a tenant that asks now and then beside one that floods, on two devices: the row tenants of docs/BENCHMARKS.md.

// besideFlood is a trace of requests that come every so often, all of them quiet's, and of a flood: 256 at once, then more than can be served.
func besideFlood(every time.Duration, flood float64) *trace.Trace {
	const length = 150 * time.Second
	random := rand.New(rand.NewPCG(1, 2))
	t := &trace.Trace{BlockTokens: 16}
	for at := 3 * time.Second; at < length; at += every/2 + time.Duration(random.Int64N(int64(every))) {
		t.Requests = append(t.Requests, trace.Request{At: at, Prompt: 170, Answer: 16, Tenant: "quiet"})
	}
	if flood > 0 {
		of := trace.Request{Prompt: 170, Answer: 64, Tenant: "flood"}
		t.Requests = append(t.Requests, slices.Repeat([]trace.Request{of}, 256)...)
		for ; of.At < length; of.At += time.Duration(random.ExpFloat64() / flood * 1e9) {
			t.Requests = append(t.Requests, of)
		}
	}
	slices.SortStableFunc(t.Requests, func(a, b trace.Request) int { return cmp.Compare(a.At, b.At) })
	return t
}

func TestQuietTenantBesideAFlood(t *testing.T) {
	for _, x := range []struct {
		device string
		cost   scheduler.CostState
		every  time.Duration
		flood  float64
	}{
		{"AVX-512", scheduler.CostState{ConstantMS: 3, DecodeRowMS: 0.35, PrefillRowMS: 0.24, OutputMS: 0.25, AttentionMSMToken: 100}, time.Second, 20},
		{"AVX2", scheduler.CostState{ConstantMS: 8, DecodeRowMS: 1.5, PrefillRowMS: 2, OutputMS: 0.5, AttentionMSMToken: 500}, 6 * time.Second, 3},
	} {
		c := DefaultConfig()
		c.Cost = x.cost
		alone := run(t, besideFlood(x.every, 0), c)
		beside := run(t, besideFlood(x.every, x.flood), c)
		quiet, flood := beside.partOf("quiet"), beside.partOf("flood")
		ratio := quiet.TTFT.P95 / alone.TTFT.P95
		t.Logf("%s: TTFT p95 alone %.0f ms, beside %.0f, %.2f times; both %.2f answers/s; the flood's ITL p50 %.0f, p99 %.0f",
			x.device, alone.TTFT.P95, quiet.TTFT.P95, ratio, beside.QPS, flood.ITL.P50, flood.ITL.P99)
		if ratio > 2.1 {
			t.Errorf("%s: beside a flood its first token comes %.2f times as late as alone", x.device, ratio)
		}
	}
}
