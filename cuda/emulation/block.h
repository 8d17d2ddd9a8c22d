/* block.h owns how a grid of kernel threads runs on the host. The fake driver launches through it, and so can a
 * test that has no driver:
 *
 *     g++ -std=c++17 -ffp-contract=off -x c++ -include cuda_host.h -c kernels.cu
 *     g++ -std=c++17 test.cc block.cc fiber.cc kernels.o */
#ifndef CHIMERA_BLOCK_H
#define CHIMERA_BLOCK_H
#include "cuda_host.h"

struct emulation_launch {
	const char *name; /* for errors */
	void (*kernel)(const void *arg);
	dim3 grid, block;
	const void *arg; /* what the kernel takes: the device address of its struct */
};

struct emulation_options {
	/* Filled into all shared memory before each block, so that a read before a write shows. Costs some
	 * microseconds a block; needs the kernels linked between the objects of shared.cc. */
	bool poison_shared;
	/* Makes every warp and barrier phase run its threads in the other order: a missing barrier that one order
	 * hides shows in the other. */
	bool reverse;
	/* Of the order that a grid's blocks run in, which is any on the device: what one block leaves to another shows.
	 * The same launch always has the same order; 0 is one after another, x fastest. */
	uint64_t seed = 1;
};
extern emulation_options emulation;

enum emulation_outcome {
	EMULATION_OK,
	EMULATION_LAUNCH,  /* a trap, a deadlock, lanes that disagree */
	EMULATION_ADDRESS, /* a read or write of memory that is not there */
};

struct emulation_result {
	emulation_outcome outcome;
	const char *text; /* names kernel, block and thread; lasts until the system thread's next launch */
};

/* Runs one launch to its end, or to its first failure, which abandons it half-way as on a device. One block runs at a
 * time; a second call waits for the first. */
emulation_result emulation_run(const emulation_launch *launch);
#endif
