/* fake_cuda.h owns what a test may ask of the fake libcuda.so.1 beside the driver's own calls. */
#ifndef CHIMERA_FAKE_CUDA_H
#define CHIMERA_FAKE_CUDA_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* What lives now, and what was counted since the last reset. */
struct fake_cuda_counts {
	uint64_t calls;
	uint64_t device_bytes, host_bytes, registered_bytes;
	uint64_t contexts, streams, events, modules, graphs, graph_execs;
	uint64_t abandoned;       /* objects that were alive when their healthy context went */
	uint64_t pageable_copies; /* copies that found host memory neither allocated nor registered here */
};

/* Changes settings:
 * "devices=2;memory=8G;capability=8.6;driver=12040;names=A|B;init=100;queries=3;order=reverse;seed=7;
 * poison=1;fault=NAME:N:CODE[:HANG_MS]". The N-th call of NAME from now on ("*": of any; "kernel/norm": run of that
 * kernel; "kernel/": of any) answers CODE, 0 for as it would, after HANG_MS; N is 0 for each. Gives NULL or what is
 * wrong. The environment's FAKE_CUDA is read the same way when the library is loaded. */
const char *fake_cuda_configure(const char *text);
/* Goes back to the environment's settings; faults are among them. */
void fake_cuda_restore(void);
/* Restores, ends all that lives, and forgets counts, log and violations. The driver stays initialised: a process does
 * that once. */
void fake_cuda_reset(void);
void fake_cuda_count(struct fake_cuda_counts *to);
/* Calls of one name since the last reset. */
uint64_t fake_cuda_calls_of(const char *name);
/* The calls and what ran, one a line: up to size bytes with a 0; gives the bytes that all of it needs. */
size_t fake_cuda_log(char *to, size_t size);
/* What the program did wrong, one a line: "order: ..." or "use: ...". */
size_t fake_cuda_violations(char *to, size_t size);

#ifdef __cplusplus
}
#endif
#endif
