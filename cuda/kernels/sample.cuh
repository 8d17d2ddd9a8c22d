/* sample.cuh owns the passes over one row of logits that a whole thread block makes: as cgo/sample_body.h, with the
 * work of a lane spread over threads where order can't show. A NaN counts as -inf in all of them but not_finite. */
#ifndef CHIMERA_SAMPLE_CUH
#define CHIMERA_SAMPLE_CUH
#include "block.cuh"

enum {
	SUM_TILE = 4096, /* exponentials that wait to be added */
	DIGITS = 16,
	SORT_COUNTS = DIGITS * SAMPLE_THREADS, /* of the sort: digit-major, a count per thread */
};

/* What the threads of a row share. */
struct sampler {
	union {
		float tile[SUM_TILE];
		int counts[SORT_COUNTS];
	};
	int sums[SAMPLE_THREADS];
	unsigned long long word;
	/* of each class of weights: how many, the sum of their significands, their mass */
	int count[EXPONENTS];
	unsigned long long significands[EXPONENTS];
	double mass[EXPONENTS];
	double total; /* what thread 0 found */
	int place;
};

static inline __device__ float logit_at(const float *x, int i) { return v_isnan(x[i]) ? -INFINITY : x[i]; }

/* A float and its id as one number: larger logit first, then lower id. Both zeros are equal. */
static inline __device__ unsigned long long rank_key(float x, int id)
{
	unsigned high = (unsigned)ordered(x == 0.0f ? 0.0f : x) ^ 0x80000000u;
	return (unsigned long long)high << 32 | ~(unsigned)id;
}

static inline __device__ int key_id(unsigned long long key) { return (int)~(unsigned)key; }

/* heaviest is the largest key below `below`; keys are never 0, which stands for none. */
static inline __device__ unsigned long long heaviest(struct sampler *s, const float *x, int n, unsigned long long below)
{
	unsigned long long best = 0;
	for (int i = threadIdx.x; i < n; i += SAMPLE_THREADS) {
		unsigned long long key = rank_key(logit_at(x, i), i);
		if (key < below && key > best)
			best = key;
	}
	return block_max(best, &s->word);
}

/* peak_id is the lowest id with the largest logit: where the CPU's peak and first_at lead. */
static inline __device__ int peak_id(struct sampler *s, const float *x, int n)
{
	return key_id(heaviest(s, x, n, ~0ull));
}

/* sum_exp adds e^(x - peak): id mod 16 chooses the lane, ids ascend in it, lanes by the fixed tree. All threads form
 * exponentials; warp 0 adds them, its upper half repeating the lower. */
static inline __device__ float sum_exp(struct sampler *s, const float *x, int n, float peak)
{
	float lane = 0.0f;
	for (int first = 0; first < n; first += SUM_TILE) {
		int count = min(SUM_TILE, round_up(n - first, LANES));
		for (int i = threadIdx.x; i < count; i += SAMPLE_THREADS)
			s->tile[i] = v_exp((first + i < n ? logit_at(x, first + i) : -INFINITY) - peak);
		__syncthreads();
		if (threadIdx.x < warpSize)
			for (int i = threadIdx.x % LANES; i < count; i += LANES)
				lane += s->tile[i];
		__syncthreads();
	}
	lane = lanes_sum(lane);
	if (threadIdx.x == 0)
		s->tile[0] = lane;
	__syncthreads();
	lane = s->tile[0];
	__syncthreads();
	return lane;
}

static inline __device__ int count_above(struct sampler *s, const float *x, int n, float value)
{
	int above = 0, total;
	for (int i = threadIdx.x; i < n; i += SAMPLE_THREADS)
		above += value < logit_at(x, i);
	block_sum_before<SAMPLE_THREADS>(above, s->sums, &total);
	return total;
}

/* not_finite tells whether a value is NaN or infinite. */
static inline __device__ int not_finite(struct sampler *s, const float *x, int n)
{
	int found = 0;
	for (int i = threadIdx.x; i < n; i += SAMPLE_THREADS)
		found |= v_isnan(x[i] - x[i]);
	return block_max((unsigned long long)found, &s->word) != 0;
}

/* top writes the k largest, descending, ties lower id first; fewer than k if n is less. A pass per token: k is small.
 */
static inline __device__ void top(struct sampler *s, const float *x, int n, int k, struct top_token *out)
{
	unsigned long long key = ~0ull;
	for (int i = 0; i < min(k, n); i++) {
		key = heaviest(s, x, n, key);
		if (threadIdx.x == 0) {
			out[i].token = key_id(key);
			out[i].logit = logit_at(x, key_id(key));
		}
	}
}
#endif
