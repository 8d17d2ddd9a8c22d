package cgotest

/*
#include "../pool.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
		pool_barrier(r->pool, NULL, worker);
	}
}
static int probe_pool(int threads, int runs, int phases, int chunks, int32_t *counts)
{
	struct pool *p = pool_start(threads);
	struct probe_run r = {p, counts, phases, chunks};
	if (!p)
		return -1;
	for (int i = 0; i < runs; i++)
		pool_run(p, threads, probe_worker, &r);
	pool_stop(p);
	return 0;
}

// A run whose workers check, behind each barrier, that every chunk before it is done, and what the last there did alone.
struct probe_barriers {
	struct pool *pool;
	int chunks, phases;
	int alone; // times that somebody did: plain, since the barrier orders it
	_Atomic int32_t *done; // (phases, chunks)
	_Atomic int32_t early, walks;
};
static void probe_alone(void *arg, int worker)
{
	struct probe_barriers *r = arg;
	if (worker < 0 || worker >= pool_active(r->pool))
		atomic_fetch_add(&r->early, 1);
	for (int c = 0; c < r->chunks; c++)
		if (atomic_load(&r->done[r->alone * r->chunks + c]) != 1)
			atomic_fetch_add(&r->early, 1);
	r->alone++;
}
static void probe_walk(void *arg, int worker)
{
	struct probe_barriers *r = arg;
	for (int p = 0; p < r->phases; p++) {
		int c;
		while ((c = pool_claim(r->pool)) < r->chunks)
			atomic_fetch_add(&r->done[p * r->chunks + c], 1);
		pool_barrier(r->pool, probe_alone, worker);
		if (r->alone != p + 1)
			atomic_fetch_add(&r->early, 1);
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
		pool_run(pool, threads, probe_walk, &r);
		walks = atomic_load(&r.early) ? -1 : walks + atomic_load(&r.walks);
	}
	if (pool)
		pool_stop(pool);
	return pool ? walks : -2;
}

// Runs of random sizes on random numbers of workers, some of which another thread asks to give way at random times.
struct probe_way {
	struct pool *pool;
	pthread_mutex_t lock; // orders requests with runs
	int background, ended;
	unsigned seed;
	int phases, chunks;
	int from, at;  // the phase in which the run begins, and in which it gave way
	int32_t *done; // (phases, chunks), plain: the barriers order what is written and read
	_Atomic int32_t wrong, walked, left;
};
static void *probe_ask(void *arg)
{
	struct probe_way *r = arg;
	for (unsigned seed = r->seed + 1, ended = 0; !ended; usleep(rand_r(&seed) % 50)) {
		pthread_mutex_lock(&r->lock);
		if (r->background)
			pool_give_way(r->pool, 1);
		ended = r->ended;
		pthread_mutex_unlock(&r->lock);
	}
	return NULL;
}
static void probe_way_worker(void *arg, int worker)
{
	struct probe_way *r = arg;
	for (int p = r->from; p < r->phases; p++) {
		int32_t *done = r->done + p * r->chunks;
		for (int c; (c = pool_claim(r->pool)) < r->chunks; done[c]++)
			;
		if (pool_barrier(r->pool, NULL, worker)) {
			if (worker == 0)
				r->at = p;
			atomic_fetch_add(&r->left, 1);
			return;
		}
		for (int c = 0; c < r->chunks; c++)
			if (done[c] != 1)
				atomic_fetch_add(&r->wrong, 1);
	}
	atomic_fetch_add(&r->walked, 1);
}
static void probe_set(struct probe_way *r, int background)
{
	pthread_mutex_lock(&r->lock);
	r->background = background;
	pool_give_way(r->pool, 0);
	pthread_mutex_unlock(&r->lock);
}
// probe_way_part returns whether a run gave way, or -1: what a run must not do.
static int probe_way_part(struct probe_way *r, int workers, int background)
{
	r->walked = r->left = 0;
	probe_set(r, background);
	int gave_way = pool_run(r->pool, workers, probe_way_worker, r);
	probe_set(r, 0);
	if (r->wrong || r->walked + r->left != workers || (r->walked && r->left) || (gave_way ? !background : r->left != 0))
		return -1;
	return gave_way;
}
// probe_way_run is a run that goes on where it gave way as often as `parts` says; so it may be undone at the end.
static int probe_way_run(struct probe_way *r, int workers, int background, int parts)
{
	int gave_way;
	memset(r->done, 0, (size_t)r->phases * (size_t)r->chunks * sizeof *r->done);
	r->from = 0;
	while ((gave_way = probe_way_part(r, workers, background)) == 1 && parts-- > 0) {
		r->from = r->at;
		pool_begin_at(r->pool, pool_claimed(r->pool));
	}
	for (int i = 0; gave_way == 0 && i < r->phases * r->chunks; i++)
		if (r->done[i] != 1)
			return -1;
	return gave_way;
}
static int probe_ways(int threads, int runs, unsigned seed, int32_t *done, int phases, int most)
{
	struct probe_way r = {.pool = pool_start(threads), .seed = seed, .phases = phases, .done = done};
	pthread_t asking;
	int gave_way = 0;
	if (!r.pool)
		return -2;
	pthread_mutex_init(&r.lock, NULL);
	pthread_create(&asking, NULL, probe_ask, &r);
	for (int i = 0; i < runs && gave_way >= 0; i++) {
		r.chunks = rand_r(&seed) % most;
		int way = probe_way_run(&r, 1 + rand_r(&seed) % threads, rand_r(&seed) % 2, rand_r(&seed) % 4);
		gave_way = way < 0 ? -1 : gave_way + way;
	}
	pthread_mutex_lock(&r.lock);
	r.ended = 1;
	pthread_mutex_unlock(&r.lock);
	pthread_join(asking, NULL);
	pool_stop(r.pool);
	return gave_way;
}

// A run in which the last worker is off its core for some microseconds without having slept in the pool.
struct probe_off {
	struct pool *pool;
	useconds_t off;
};
static void probe_off_worker(void *arg, int worker)
{
	struct probe_off *r = arg;
	if (worker == pool_active(r->pool) - 1)
		usleep(r->off);
	pool_barrier(r->pool, NULL, worker);
}
static int probe_lost(int threads, useconds_t off, struct pool_loss *lost)
{
	struct probe_off r = {pool_start(threads), off};
	if (!r.pool)
		return -1;
	pool_run(r.pool, threads, probe_off_worker, &r);
	*lost = pool_lost(r.pool);
	pool_stop(r.pool);
	return 0;
}
*/
import "C"

import (
	"errors"
	"time"
)

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

// probeWays runs a pool on random numbers of its workers, and has runs give way at random, of which some go on. It returns how many did not end, -1 if a
// chunk was not done just once behind a barrier, workers disagreed on leaving, or a run left that was not asked to.
func probeWays(m *probeMemory, threads, runs int, seed uint64) int {
	const phases, chunks = 12, 64
	return int(C.probe_ways(C.int(threads), C.int(runs), C.uint(seed), ints(probeTake[int32](m, phases*chunks)), phases, chunks))
}

// probeLost has the last of some workers leave its core for a while, at which the others wait at a barrier. It returns what the run lost.
func probeLost(threads int, off time.Duration) (slept, stolen time.Duration, err error) {
	var lost C.struct_pool_loss
	if C.probe_lost(C.int(threads), C.useconds_t(off.Microseconds()), &lost) != 0 {
		return 0, 0, errors.New("the pool did not start")
	}
	return time.Duration(lost.slept), time.Duration(lost.stolen), nil
}
