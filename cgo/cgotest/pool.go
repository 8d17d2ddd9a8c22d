package cgotest

/*
#include "../pool.h"
#include <stdatomic.h>
#include <stddef.h>

struct probe_run {
	struct pool *pool;
	int32_t *counts;
	int phases, chunks;
};
static void probe_worker(void *arg, int worker)
{
	struct probe_run *r = arg;
	(void)worker;
	for (int phase = 0; phase < r->phases; phase++) {
		for (int c = pool_claim(r->pool); c < r->chunks; c = pool_claim(r->pool))
			__atomic_fetch_add(&r->counts[phase * r->chunks + c], 1, __ATOMIC_RELAXED);
		pool_barrier(r->pool);
	}
}
static int probe_pool(int threads, int runs, int phases, int chunks, int32_t *counts)
{
	struct pool *p = pool_start(threads);
	struct probe_run r = {p, counts, phases, chunks};
	if (!p)
		return -1;
	for (int i = 0; i < runs; i++)
		pool_run(p, probe_worker, &r);
	pool_stop(p);
	return 0;
}

// A run whose workers check, behind each barrier, that every chunk before it is done.
struct probe_barriers {
	struct pool *pool;
	int chunks, phases;
	_Atomic int32_t *done; // (phases, chunks)
	_Atomic int32_t early, walks;
};
static void probe_walk(void *arg, int worker)
{
	struct probe_barriers *r = arg;
	for (int p = 0; p < r->phases; p++) {
		int c;
		while ((c = pool_claim(r->pool)) < r->chunks)
			atomic_fetch_add(&r->done[p * r->chunks + c], 1);
		pool_barrier(r->pool);
		for (c = 0; c < r->chunks; c++)
			if (atomic_load(&r->done[p * r->chunks + c]) != 1)
				atomic_fetch_add(&r->early, 1);
	}
	atomic_fetch_add(&r->walks, 1);
}
static int probe_barrier_run(int threads, int runs, int chunks, int phases, int32_t *done)
{
	struct pool *pool = pool_start(threads);
	int walks = 0;
	for (int i = 0; pool && i < runs && walks >= 0; i++) {
		struct probe_barriers r = {.pool = pool, .chunks = chunks, .phases = phases, .done = (_Atomic int32_t *)done};
		for (int c = 0; c < chunks * phases; c++)
			done[c] = 0;
		pool_run(pool, probe_walk, &r);
		walks = atomic_load(&r.early) ? -1 : walks + atomic_load(&r.walks);
	}
	if (pool)
		pool_stop(pool);
	return pool ? walks : -2;
}
*/
import "C"

import "errors"

// This file owns runs of a pool of workers.

// probePool runs the pool and returns how often each chunk of each phase was claimed.
func probePool(m *probeMemory, threads, runs, phases, chunks int) ([]int32, error) {
	counts := probeTake[int32](m, phases*chunks)
	if C.probe_pool(C.int(threads), C.int(runs), C.int(phases), C.int(chunks), ints(counts)) != 0 {
		return nil, errors.New("the pool did not start")
	}
	return counts, nil
}

// probeBarriers runs a pool of threads `runs` times over phases of chunks. It returns how many workers
// came through in all, -1 if a chunk was not done just once when a barrier opened, -2 without threads.
func probeBarriers(m *probeMemory, threads, runs, chunks, phases int) int {
	return int(C.probe_barrier_run(C.int(threads), C.int(runs), C.int(chunks), C.int(phases), ints(probeTake[int32](m, chunks*phases))))
}
