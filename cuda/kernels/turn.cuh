/* turn.cuh owns what is done to a head on its way to a page or to attention: its norm and its rotation. */
#ifndef CHIMERA_TURN_CUH
#define CHIMERA_TURN_CUH
#include "norm.cuh"

/* rope_head turns the leading elements of a head by the row's sines and cosines. Two products and a sum, each
 * rounded. */
template <int THREADS> static __device__ void rope_head(const struct device_rope *rope, int row, float *head)
{
	int half = rope->dim / 2, step = rope->style == ROPE_ADJACENT ? 2 : 1;
	int second = rope->style == ROPE_ADJACENT ? 1 : half;
	const float *cosine = rope->cosine + (int64_t)row * half, *sine = rope->sine + (int64_t)row * half;
	for (int i = threadIdx.x; i < half; i += THREADS) {
		float a = head[i * step], b = head[i * step + second];
		head[i * step] = a * cosine[i] - b * sine[i];
		head[i * step + second] = a * sine[i] + b * cosine[i];
	}
}

/* turn_head writes a row's head of n elements, normalised and turned, to `out` in shared memory. The whole thread
 * block takes part; behind it all see the result. */
template <int THREADS>
static __device__ void turn_head(const struct device_turn *t, int row, const float *head, int n, float *out)
{
	/* Each sixteen threads form the same two numbers: so none waits for another. */
	struct norm_scale s = {0.0f, 1.0f};
	if (t->gamma)
		s = norm_scale_of(NORM_RMS, head, t->epsilon, n, threadIdx.x % LANES);
	for (int i = threadIdx.x; i < n; i += THREADS)
		out[i] = t->gamma ? (head[i] - s.mean) * s.scale * t->gamma[i] : head[i];
	__syncthreads();
	if (t->rope.dim == 0)
		return;
	rope_head<THREADS>(&t->rope, row, out);
	__syncthreads();
}
#endif
