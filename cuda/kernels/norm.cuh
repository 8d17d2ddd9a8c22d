/* norm.cuh owns the two sums of a norm, over whole rows and over heads. */
#ifndef CHIMERA_NORM_CUH
#define CHIMERA_NORM_CUH
#include "lane.cuh"

struct norm_scale {
	float mean, scale;
};

/* norm_scale_of gives sixteen neighbouring threads the mean (0 for RMS) and the factor of their row. Element i
 * is added in lane i mod 16. The CPU's absent lanes add exact zeros; where its mean is no number they add NaN,
 * which changes nothing: each element is NaN then anyway. All threads of the warp take part. */
static inline __device__ struct norm_scale norm_scale_of(int kind, const float *x, float epsilon, int n, int lane)
{
	struct norm_scale s = {0.0f, 0.0f};
	float sum = 0.0f, squares = 0.0f;
	if (kind == NORM_LAYER) {
		for (int i = lane; i < n; i += LANES)
			sum += x[i];
		s.mean = lanes_sum(sum) / (float)n;
	}
	for (int i = lane; i < n; i += LANES) {
		float d = x[i] - s.mean;
		squares = fmaf(d, d, squares);
	}
	s.scale = 1.0f / sqrtf(lanes_sum(squares) / (float)n + epsilon);
	return s;
}
#endif
