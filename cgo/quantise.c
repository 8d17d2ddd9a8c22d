/* quantise.c owns the way of rows through the searches: what an error of each value costs, the scaling of a block to
 * values of about one, and what is refused. */
#include "quantise.h"
#include <math.h>

/* largest_of is the largest absolute value, an infinity if one of them is none or no number. */
static float largest_of(const float *x, int n)
{
	float most = 0;
	for (int i = 0; i < n; i++)
		most = fabsf(x[i]) <= most ? most : x[i] - x[i] == 0 ? fabsf(x[i]) : INFINITY;
	return most;
}

/* power_below is the largest power of two that is no more than x. */
static double power_below(double x)
{
	uint64_t bits;
	memcpy(&bits, &x, 8);
	bits &= (uint64_t)0x7ff << 52;
	memcpy(&x, &bits, 8);
	return x;
}

/* costs writes what an error of each value costs: its column's importance, as a share of the block's largest; where
 * nothing is known of the columns, all are alike.
 *
 * Rejected: to weigh by x^2 as well, as other quantisers do where they know nothing else. It made the divergence of the
 * translation model of docs/TIERS.md 3 to 7% larger from q3_k up, and no smaller at q2_k. */
static void costs(const float *importance, int n, float *w)
{
	float most = importance ? largest_of(importance, n) : 0;
	for (int i = 0; i < n; i++)
		w[i] = most > 0 && most < INFINITY ? importance[i] / most : 1;
}

/* What is looked for in a block. */
enum search {
	SEARCH_NONE,
	SEARCH_BLOCK,
	SEARCH_SCALES,
	SEARCH_MINIMUMS,
};

struct target {
	enum search search;
	int block, bytes;
	float reach; /* what a half multiplies at most, in either direction: a code, an integer scale or both */
};

static struct target target_of(uint32_t type)
{
	switch (type) {
	case TYPE_Q4_0:
		return (struct target){SEARCH_BLOCK, 32, 18, 7};
	case TYPE_Q5_0:
		return (struct target){SEARCH_BLOCK, 32, 22, 15};
	case TYPE_Q5_1:
		return (struct target){SEARCH_BLOCK, 32, 24, 1};
	case TYPE_Q2_K:
		return (struct target){SEARCH_MINIMUMS, SUPER, 84, 15};
	case TYPE_Q3_K:
		return (struct target){SEARCH_SCALES, SUPER, 110, 3 * 31};
	case TYPE_Q4_K:
		return (struct target){SEARCH_MINIMUMS, SUPER, 144, 63};
	case TYPE_Q5_K:
		return (struct target){SEARCH_MINIMUMS, SUPER, 176, 63};
	case TYPE_Q6_K:
		return (struct target){SEARCH_SCALES, SUPER, 210, 31 * 127};
	}
	return (struct target){SEARCH_NONE, 0, 0, 0};
}

int quantise_block_values(uint32_t type) { return target_of(type).block; }
int quantise_block_bytes(uint32_t type) { return target_of(type).bytes; }
float quantise_reach(uint32_t type) { return 65504 * target_of(type).reach; }

static void quantise_block(uint32_t type, struct target t, const float *x, float largest, const float *importance,
                           uint8_t *out)
{
	float values[SUPER], w[SUPER];
	struct scaled s = {values, w, power_below(largest)};
	struct block_codes block;
	struct super_codes super;
	if (largest == 0)
		s.unit = 1;
	for (int i = 0; i < t.block; i++)
		values[i] = (float)((double)x[i] / s.unit);
	costs(importance, t.block, w);
	if (t.search == SEARCH_BLOCK)
		search_block(type, &s, &block);
	else if (t.search == SEARCH_SCALES)
		search_scales(type, &s, &super);
	else
		search_minimums(type, &s, &super);
	if (t.search == SEARCH_BLOCK)
		write_block(type, &block, out);
	else
		write_super(type, &super, out);
}

int64_t quantise(uint32_t type, const float *x, int64_t rows, int cols, const float *importance, uint8_t *out)
{
	const struct target t = target_of(type);
	for (int64_t i = 0; i < rows * (cols / t.block); i++) {
		const float *block = x + i * t.block;
		float largest = largest_of(block, t.block);
		if (!(largest <= quantise_reach(type))) {
			int64_t at = 0;
			while (fabsf(block[at]) <= quantise_reach(type))
				at++;
			return i * t.block + at;
		}
		quantise_block(type, t, block, largest, importance ? importance + i % (cols / t.block) * t.block : 0,
		               out + i * t.bytes);
	}
	return -1;
}
