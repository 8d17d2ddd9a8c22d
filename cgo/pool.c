/* pool.c owns the worker threads, the chunk counter and the barrier.
 *
 * A phase lasts some microseconds, so waiting spins first and sleeps on a futex only when nothing
 * came for a while: a server without work must not burn its cores. */
#include "pool.h"
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Spins before sleeping, about 40 ns each: 20 us between phases and steps, where the next thing is due
 * at once; more would only steal the core from the threads that prepare it. */
enum { SPINS = 500 };

/* A word that changes when something happened, with the number of those asleep on it. */
struct event {
	_Atomic uint32_t word;
	_Atomic int32_t sleepers;
};

/* A worker but the caller's. Each has an event of its own: who is not active in a run neither wakes for it nor can
 * be so late that it takes part in the next. */
struct worker {
	_Alignas(64) struct event start; /* one for each run that it is active in */
	struct pool *pool;
	pthread_t thread;
	int number;
};

struct pool {
	int threads;
	struct worker *workers; /* (threads - 1) */
	/* Of the run; written before its workers start. */
	int active;
	pool_fn *fn;
	void *arg;
	int stopping;
	int gave_way; /* what the last at a barrier decided; written before the others leave it */
	int claimed;  /* behind that barrier, of a run that gave way */
	_Alignas(64) _Atomic int give_way;
	_Alignas(64) struct event released;
	_Alignas(64) _Atomic int arrived;
	_Alignas(64) _Atomic int next_chunk;
	_Alignas(64) _Atomic int64_t slept, stolen; /* of the run, see pool_lost */
};

static int64_t nanoseconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* How long this thread has slept on events, ever. */
static _Thread_local int64_t slept;

/* What a thread's clocks say. */
struct clocks {
	int64_t wall, computed, slept;
};

static struct clocks clocks_now(void)
{
	return (struct clocks){nanoseconds(CLOCK_MONOTONIC), nanoseconds(CLOCK_THREAD_CPUTIME_ID), slept};
}

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
	int64_t began = nanoseconds(CLOCK_MONOTONIC);
	atomic_fetch_add(&e->sleepers, 1);
	while (atomic_load(&e->word) == seen)
		syscall(SYS_futex, &e->word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
	atomic_fetch_sub(&e->sleepers, 1);
	slept += nanoseconds(CLOCK_MONOTONIC) - began;
}

/* meet waits for all active workers. The last one, before it releases the others, sees every chunk done that was
 * claimed; at a barrier inside the run it decides for all whether to go on. It sees the request if any worker was
 * refused a chunk for it: that worker read the flag before it arrived. Where the run goes on, it first runs `alone`. */
static void meet(struct pool *p, int inside, pool_fn *alone, int worker)
{
	uint32_t seen = atomic_load(&p->released.word);
	int others = p->active - 1; /* read before arriving: behind the run's last barrier the next may be set up */
	if (atomic_fetch_add(&p->arrived, 1) < others) {
		event_wait(&p->released, seen);
		return;
	}
	if (inside) {
		p->gave_way = atomic_load(&p->give_way);
		p->claimed = atomic_load(&p->next_chunk);
	}
	atomic_store(&p->arrived, 0); /* all are here: nobody claims or arrives before the release */
	atomic_store(&p->next_chunk, 0);
	if (alone && !p->gave_way)
		alone(p->arg, worker);
	event_signal(&p->released);
}

/* work runs fn on a worker, up to the barrier behind it, and counts the time that it did not compute: asleep, or put
 * off its core by other programs. What is counted before the barrier is there when the run has ended. */
static void work(struct pool *p, int worker)
{
	struct clocks before = clocks_now(), after;
	p->fn(p->arg, worker);
	after = clocks_now();
	int64_t rested = after.slept - before.slept, most = atomic_load(&p->stolen);
	int64_t stolen = after.wall - before.wall - (after.computed - before.computed) - rested;
	atomic_fetch_add(&p->slept, rested);
	while (stolen > most && !atomic_compare_exchange_weak(&p->stolen, &most, stolen))
		;
	meet(p, 0, NULL, worker);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;
	for (uint32_t seen = 0;; seen++) { /* a start is a run: the next begins only after all have met */
		event_wait(&w->start, seen);
		if (p->stopping)
			return NULL;
		work(p, w->number);
	}
}

struct pool *pool_start(int threads)
{
	sigset_t all, old;
	struct pool *p = aligned_alloc(64, sizeof *p);
	if (!p)
		return NULL;
	*p = (struct pool){.threads = 1};
	p->workers = aligned_alloc(64, (size_t)threads * sizeof *p->workers);
	sigfillset(&all); /* signals belong to the Go runtime's threads */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; p->workers && p->threads < threads; p->threads++) {
		struct worker *w = &p->workers[p->threads - 1];
		*w = (struct worker){.pool = p, .number = p->threads};
		if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
			break;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (p->threads == threads)
		return p;
	pool_stop(p);
	return NULL;
}

void pool_stop(struct pool *p)
{
	p->stopping = 1;
	for (int i = 0; i < p->threads - 1; i++)
		event_signal(&p->workers[i].start);
	for (int i = 0; i < p->threads - 1; i++)
		pthread_join(p->workers[i].thread, NULL);
	free(p->workers);
	free(p);
}

int pool_run(struct pool *p, int active, pool_fn *fn, void *arg)
{
	p->active = active;
	p->fn = fn;
	p->arg = arg;
	p->gave_way = 0;
	atomic_store(&p->slept, 0);
	atomic_store(&p->stolen, 0);
	for (int i = 0; i < active - 1; i++)
		event_signal(&p->workers[i].start);
	work(p, 0);
	return p->gave_way;
}

void pool_give_way(struct pool *p, int asked) { atomic_store(&p->give_way, asked); }

int pool_claimed(const struct pool *p) { return p->claimed; }

void pool_begin_at(struct pool *p, int chunk) { atomic_store(&p->next_chunk, chunk); }

int pool_claim(struct pool *p)
{
	if (atomic_load_explicit(&p->give_way, memory_order_relaxed))
		return POOL_NO_CHUNK;
	return atomic_fetch_add_explicit(&p->next_chunk, 1, memory_order_relaxed);
}

int pool_barrier(struct pool *p, pool_fn *alone, int worker)
{
	meet(p, 1, alone, worker);
	return p->gave_way;
}

int pool_active(const struct pool *p) { return p->active; }

struct pool_loss pool_lost(struct pool *p)
{
	return (struct pool_loss){atomic_load(&p->slept), atomic_load(&p->stolen)};
}
