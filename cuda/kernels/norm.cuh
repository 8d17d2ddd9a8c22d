/* norm.cuh owns the two sums of a norm, over whole rows and over heads. */
#ifndef CHIMERA_NORM_CUH
#define CHIMERA_NORM_CUH
#include "lane.cuh"

struct norm_scale {
	float mean, scale;
};

/* norm_scale_of gives sixteen neighbouring threads the mean (0 for RMS) and the factor of their row. Element i
 * is added in lane i mod 16; absent lanes go along as exact zeros, or as NaN where the mean is no number, as
 * on the CPU. All threads of the warp take part. */
static inline __device__ struct norm_scale norm_scale_of(int kind, const float *x, float epsilon, int n, int lane)
{
	struct norm_scale s = {0.0f, 0.0f};
	float sum = 0.0f, squares = 0.0f;
	if (kind == NORM_LAYER) {
		for (int i = lane; i < round_up(n, LANES); i += LANES)
			sum += i < n ? x[i] : 0.0f;
		s.mean = lanes_sum(sum) / (float)n;
	}
	for (int i = lane; i < round_up(n, LANES); i += LANES) {
		float d = (i < n ? x[i] : s.mean) - s.mean;
		squares = fmaf(d, d, squares);
	}
	s.scale = 1.0f / sqrtf(lanes_sum(squares) / (float)n + epsilon);
	return s;
}
#endif
