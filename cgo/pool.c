/* pool.c owns the worker threads, the chunk counter and the barrier.
 *
 * A phase lasts some microseconds, so waiting spins first and sleeps on a futex only when nothing
 * came for a while: a server without work must not burn its cores. */
#include "pool.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Spins before sleeping, about 40 ns each: 20 us between phases and steps, where the next thing is due
 * at once; more would only steal the core from the threads that prepare it. */
enum { SPINS = 500 };

/* A word that changes when something happened, with the number of those asleep on it. */
struct event {
	_Atomic uint32_t word;
	_Atomic int32_t sleepers;
};

struct pool {
	int threads;
	pthread_t *workers; /* (threads - 1) */
	pool_fn *fn;
	void *arg;
	_Atomic int stopping;
	_Alignas(64) struct event start;
	_Alignas(64) struct event released;
	_Alignas(64) _Atomic int arrived;
	_Alignas(64) _Atomic int next_chunk;
};

struct seat {
	struct pool *pool;
	int worker;
};

static void event_signal(struct event *e)
{
	atomic_fetch_add(&e->word, 1);
	if (atomic_load(&e->sleepers) > 0)
		syscall(SYS_futex, &e->word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static void event_wait(struct event *e, uint32_t seen)
{
	for (int i = 0; i < SPINS; i++) {
		if (atomic_load_explicit(&e->word, memory_order_acquire) != seen)
			return;
		__builtin_ia32_pause();
	}
	atomic_fetch_add(&e->sleepers, 1);
	while (atomic_load(&e->word) == seen)
		syscall(SYS_futex, &e->word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
	atomic_fetch_sub(&e->sleepers, 1);
}

static void *worker_main(void *arg)
{
	struct seat seat = *(struct seat *)arg;
	struct pool *p = seat.pool;
	uint32_t seen = 0;
	free(arg);
	for (;;) {
		event_wait(&p->start, seen);
		seen++; /* one start is one step: the next begins only after all have met */
		if (atomic_load(&p->stopping))
			return NULL;
		p->fn(p->arg, seat.worker);
		pool_barrier(p);
	}
}

static int start_worker(struct pool *p, int worker)
{
	struct seat *seat = malloc(sizeof *seat);
	if (!seat)
		return 0;
	*seat = (struct seat){p, worker};
	if (pthread_create(&p->workers[worker - 1], NULL, worker_main, seat) == 0)
		return 1;
	free(seat);
	return 0;
}

struct pool *pool_start(int threads)
{
	sigset_t all, old;
	struct pool *p = aligned_alloc(64, (sizeof *p + 63) / 64 * 64);
	if (!p)
		return NULL;
	*p = (struct pool){.threads = 1};
	p->workers = calloc((size_t)threads, sizeof *p->workers);
	sigfillset(&all); /* signals belong to the Go runtime's threads */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (p->workers && p->threads < threads && start_worker(p, p->threads))
		p->threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (p->threads == threads)
		return p;
	pool_stop(p);
	return NULL;
}

void pool_stop(struct pool *p)
{
	atomic_store(&p->stopping, 1);
	event_signal(&p->start);
	for (int i = 0; i < p->threads - 1; i++)
		pthread_join(p->workers[i], NULL);
	free(p->workers);
	free(p);
}

void pool_run(struct pool *p, pool_fn *fn, void *arg)
{
	p->fn = fn;
	p->arg = arg;
	if (p->threads > 1)
		event_signal(&p->start);
	fn(arg, 0);
	pool_barrier(p);
}

int pool_claim(struct pool *p) { return atomic_fetch_add_explicit(&p->next_chunk, 1, memory_order_relaxed); }

void pool_barrier(struct pool *p)
{
	uint32_t seen = atomic_load(&p->released.word);
	if (atomic_fetch_add(&p->arrived, 1) < p->threads - 1) {
		event_wait(&p->released, seen);
		return;
	}
	atomic_store(&p->arrived, 0); /* all are here: nobody claims or arrives before the release */
	atomic_store(&p->next_chunk, 0);
	event_signal(&p->released);
}
