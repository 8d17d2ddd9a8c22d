/* block.cuh owns what all threads of a thread block find together: counts, sums and extremes of whole numbers,
 * where order cannot show. */
#ifndef CHIMERA_BLOCK_CUH
#define CHIMERA_BLOCK_CUH
#include "lane.cuh"

/* block_sum_before is the sum of x over the threads before this one; total is that over all. `sums` holds one
 * int per thread and is free again on return. */
template <int THREADS> static __device__ int block_sum_before(int x, int *sums, int *total)
{
	int t = threadIdx.x;
	sums[t] = x;
	__syncthreads();
	for (int step = 1; step < THREADS; step *= 2) {
		int below = t >= step ? sums[t - step] : 0;
		__syncthreads();
		sums[t] += below;
		__syncthreads();
	}
	int upto = sums[t];
	*total = sums[THREADS - 1];
	__syncthreads();
	return upto - x;
}

/* block_max is the largest x of all threads; `word` is shared and free again on return. */
static inline __device__ unsigned long long block_max(unsigned long long x, unsigned long long *word)
{
	if (threadIdx.x == 0)
		*word = 0;
	__syncthreads();
	for (int step = warpSize / 2; step > 0; step /= 2) {
		unsigned long long other = __shfl_xor_sync(0xffffffffu, x, step);
		x = other > x ? other : x;
	}
	if (threadIdx.x % warpSize == 0)
		atomicMax(word, x);
	__syncthreads();
	x = *word;
	__syncthreads();
	return x;
}
#endif
