/* touch.c has pages given by the kernel at the priority of idle time.
 *
 * A huge page is zeroed when it is first touched. Where the host of a virtual machine has to find memory for it too,
 * that takes 5 ms of a core, which no chunk of a load can be cut to. The thread that asks for it may be put off its
 * core at any time inside the kernel, if what wants the core comes before it: the least priority there is, for that
 * thread alone. It is one of its own because it could not have its priority back, and since a thread of Go's with so
 * little could hold a lock that others wait for. */
#include "touch.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

struct range {
	uint8_t *memory; /* (bytes) */
	size_t bytes;
	int64_t took; /* ns of a core */
};

/* touch writes to each page what is there: others may write beside it. */
static void *touch(void *arg)
{
	struct range *r = arg;
	struct timespec before, after;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t at = 0; at < r->bytes; at += page)
		atomic_fetch_or((_Atomic uint8_t *)(r->memory + at), 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	r->took = (int64_t)(after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
	return NULL;
}

static void *touch_at_idle(void *arg)
{
	sched_setscheduler(0, SCHED_IDLE,
	                   &(struct sched_param){0}); /* refused: the touch is only more in others' way */
	return touch(arg);
}

int64_t touch_idle(uint8_t *memory, size_t bytes)
{
	struct range r = {memory, bytes, 0};
	pthread_t thread;
	sigset_t all, old;
	int failed;
	sigfillset(&all); /* signals belong to the Go runtime's threads */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	failed = pthread_create(&thread, NULL, touch_at_idle, &r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (failed)
		touch(&r);
	else
		pthread_join(thread, NULL);
	return r.took;
}
