/* pool.h owns the threads of a device: all of a run's workers walk the same phases, claim chunks from one
 * counter and meet at a barrier. */
#ifndef CHIMERA_POOL_H
#define CHIMERA_POOL_H
#include <stdint.h>

struct pool;

/* What every worker runs; worker 0 is the caller of pool_run. */
typedef void pool_fn(void *arg, int worker);

/* pool_start makes a pool of `threads` workers, the caller included. NULL if a thread can't be made. */
struct pool *pool_start(int threads);
void pool_stop(struct pool *p);

/* pool_run runs fn on the first `active` workers; the others sleep through it. It tells whether the run gave way: fn
 * was left at a barrier, with work undone. */
int pool_run(struct pool *p, int active, pool_fn *fn, void *arg);

/* pool_give_way asks the run under way to end early, or takes that back before the next. The caller orders it with
 * the runs: a request that comes late would end the run behind. */
void pool_give_way(struct pool *p, int asked);

/* pool_claimed is how many chunks were claimed behind the last barrier of a run that gave way: all of them are done.
 * pool_begin_at lets the next run hand out chunks from that one on, so that it goes on where the other left. */
int pool_claimed(const struct pool *p);
void pool_begin_at(struct pool *p, int chunk);

/* Inside a run. pool_claim hands out 0, 1, 2 ... since the last barrier, and POOL_NO_CHUNK to a run that gives way.
 * pool_barrier waits for all and tells, to all alike, whether to leave fn now: the phase may be undone. If not, the
 * last to arrive runs `alone`, unless it is NULL, with what the run was given and its own number, before the others go
 * on. */
enum { POOL_NO_CHUNK = INT32_MAX };
int pool_claim(struct pool *p);
int pool_barrier(struct pool *p, pool_fn *alone, int worker);
int pool_active(const struct pool *p);

/* pool_lost is what the run before lost, in nanoseconds: the sleep of all its workers together, for want of work or for
 * each other, and for how long the worker that met most of it was put off its core by other programs. */
struct pool_loss {
	int64_t slept, stolen;
};
struct pool_loss pool_lost(struct pool *p);
#endif
