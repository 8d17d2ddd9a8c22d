/* quantise.c owns the way of rows through the searches: what an error of each value costs, the scaling of a block to
 * values of about one, its place among the lanes, and what is refused. */
#include "quantise.h"
#include <math.h>

/* largest_of is the largest absolute value, none that is finite if one of them is not. Without their signs floats are
 * in the order of their bits, infinities and NaNs above all. */
static float largest_of(const float *x, int n)
{
	int32_t most = 0;
	float largest;
	for (int i = 0; i < n; i++) {
		int32_t bits;
		memcpy(&bits, x + i, sizeof bits);
		bits &= INT32_MAX;
		most = bits > most ? bits : most;
	}
	memcpy(&largest, &most, sizeof largest);
	return largest;
}

/* power_below is the largest power of two that is no more than x; 1 for 0. */
static float power_below(float x)
{
	double power = x;
	uint64_t bits;
	if (x == 0)
		return 1;
	memcpy(&bits, &power, sizeof bits);
	bits &= (uint64_t)0x7ff << 52;
	memcpy(&power, &bits, sizeof power);
	return (float)power;
}

/* What is made of a block: its format is one of the two. */
struct target {
	const struct block_format *block;
	const struct super_format *super;
	int values, bytes;
	float reach; /* what a half multiplies at most, in either direction: a code, an integer scale or both */
};

static const struct block_format q4_0 = {{-8, 7}, 0}, q5_0 = {{-16, 15}, 0}, q5_1 = {{0, 31}, 1};
static const struct super_format q2_k = {{0, 3}, 1, 16, 0, 15, 0.125f, 0.1f, 6};
static const struct super_format q3_k = {{-4, 3}, 0, 16, -32, 31, 0.25f, 0, 4};
static const struct super_format q4_k = {{0, 15}, 1, 32, 0, 63, 0.5f, 0.02f, 6};
static const struct super_format q5_k = {{0, 31}, 1, 32, 0, 63, 0.5f, 0.02f, 6};
static const struct super_format q6_k = {{-32, 31}, 0, 16, -128, 127, 0.5f, 0, 4};

static struct target target_of(uint32_t type)
{
	switch (type) {
	case TYPE_Q4_0:
		return (struct target){&q4_0, NULL, 32, 18, 7};
	case TYPE_Q5_0:
		return (struct target){&q5_0, NULL, 32, 22, 15};
	case TYPE_Q5_1:
		return (struct target){&q5_1, NULL, 32, 24, 1};
	case TYPE_Q2_K:
		return (struct target){NULL, &q2_k, SUPER, 84, 15};
	case TYPE_Q3_K:
		return (struct target){NULL, &q3_k, SUPER, 110, 3 * 31};
	case TYPE_Q4_K:
		return (struct target){NULL, &q4_k, SUPER, 144, 63};
	case TYPE_Q5_K:
		return (struct target){NULL, &q5_k, SUPER, 176, 63};
	case TYPE_Q6_K:
		return (struct target){NULL, &q6_k, SUPER, 210, 31 * 127};
	}
	return (struct target){0};
}

int quantise_block_values(uint32_t type) { return target_of(type).values; }
int quantise_block_bytes(uint32_t type) { return target_of(type).bytes; }
float quantise_reach(uint32_t type) { return 65504 * target_of(type).reach; }

/* A block, and what scales it. */
struct scaling {
	const float *x, *importance; /* of each value; or NULL */
	float unit, most;            /* the largest importance, if it is of use */
};

static struct scaling scaling_of(const float *x, int n, const float *importance)
{
	struct scaling s = {x, importance, power_below(largest_of(x, n)), 0};
	float most = importance ? largest_of(importance, n) : 0;
	if (most < INFINITY)
		s.most = most;
	return s;
}

/* place puts n values of a block, from its first on, into a lane. An error costs its column's importance, as a share of
 * the block's largest; where nothing is known of the columns, all are alike.
 *
 * Rejected: to weigh by x^2 as well, as other quantisers do where they know nothing else. It made the divergence of the
 * translation model of docs/TIERS.md 3 to 7% larger from q3_k up, and no smaller at q2_k. */
static void place(struct runs *r, int lane, const struct scaling *s, int first, int n)
{
	const double inverse = 1 / (double)s->unit; /* exact, also of units below a float's */
	r->unit[lane] = s->unit;
	for (int i = 0; i < n; i++) {
		r->x[i][lane] = (float)((double)s->x[first + i] * inverse);
		r->w[i][lane] = s->most > 0 ? s->importance[first + i] / s->most : 1;
	}
}

static void quantise_super(const struct kernels *k, uint32_t type, const struct target *t, const float *x,
                           const float *importance, uint8_t *out)
{
	const struct scaling s = scaling_of(x, SUPER, importance);
	struct super_codes codes;
	struct runs runs;
	for (int lane = 0; lane < RUNS; lane++)
		place(&runs, lane, &s, lane * t->super->n % SUPER, t->super->n);
	k->quantise.search_super(t->super, &runs, &codes);
	write_super(type, &codes, out);
}

/* quantise_blocks writes `count` blocks, RUNS at most, of which the first is block `first` of rows of (cols) values.
 * The lanes that are left have the last one. */
static void quantise_blocks(const struct kernels *k, uint32_t type, const struct target *t, const float *x,
                            int64_t first, int count, int cols, const float *importance, uint8_t *out)
{
	struct block_codes codes[RUNS];
	struct runs runs;
	for (int lane = 0; lane < RUNS; lane++) {
		int64_t block = first + (lane < count ? lane : count - 1);
		int column = (int)(block % (cols / LONGEST)) * LONGEST;
		const struct scaling s =
		        scaling_of(x + block * LONGEST, LONGEST, importance ? importance + column : NULL);
		place(&runs, lane, &s, 0, LONGEST);
	}
	k->quantise.search_blocks(t->block, &runs, codes);
	for (int b = 0; b < count; b++)
		write_block(type, &codes[b], out + (first + b) * t->bytes);
}

/* refused is the first value that is not finite or lies beyond reach, or -1. */
static int64_t refused(const float *x, int64_t blocks, int n, float reach)
{
	for (int64_t i = 0; i < blocks; i++)
		if (!(largest_of(x + i * n, n) <= reach))
			for (int64_t at = i * n;; at++)
				if (!(fabsf(x[at]) <= reach))
					return at;
	return -1;
}

int64_t quantise(const struct kernels *k, uint32_t type, const float *x, int64_t rows, int cols,
                 const float *importance, uint8_t *out)
{
	const struct target t = target_of(type);
	const int64_t blocks = rows * (cols / t.values), bad = refused(x, blocks, t.values, quantise_reach(type));
	if (bad >= 0)
		return bad;
	for (int64_t i = 0; t.super && i < blocks; i++)
		quantise_super(k, type, &t, x + i * SUPER, importance ? importance + i % (cols / SUPER) * SUPER : NULL,
		               out + i * t.bytes);
	for (int64_t i = 0; t.block && i < blocks; i += RUNS)
		quantise_blocks(k, type, &t, x, i, (int)(blocks - i < RUNS ? blocks - i : RUNS), cols, importance, out);
	return -1;
}
