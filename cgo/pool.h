/* pool.h owns the threads of an instance: all of them run the same step, phase by phase, claim chunks
 * from one counter and meet at a barrier. */
#ifndef CHIMERA_POOL_H
#define CHIMERA_POOL_H
#include <stdint.h>

struct pool;

/* What every worker runs; worker 0 is the caller of pool_run. */
typedef void pool_fn(void *arg, int worker);

/* pool_start makes a pool of `threads` workers, the caller included. NULL if a thread can't be made. */
struct pool *pool_start(int threads);
void pool_stop(struct pool *p);
void pool_run(struct pool *p, pool_fn *fn, void *arg);

/* Inside a run: pool_claim hands out 0, 1, 2 ... since the last barrier; pool_barrier waits for all. */
int pool_claim(struct pool *p);
void pool_barrier(struct pool *p);
#endif
