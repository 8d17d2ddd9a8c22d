/* quantise_search.h owns what lies between a quantiser's way through rows (quantise.c) and the searches for scales,
 * which every instruction set has (quantise_fit_body.h and what builds on it). */
#ifndef CHIMERA_QUANTISE_SEARCH_H
#define CHIMERA_QUANTISE_SEARCH_H
#include "half.h"

enum {
	RUNS = 16, /* values that share a scale are a run: so many are searched for side by side, one a lane */
	LONGEST = 32,
	SUPER = 256, /* values of a super-block */
};

/* Value i of run b is x[i][b]: divided by its block's unit, a power of two, so that no square leaves a float's range.
 * w[i][b] is what an error of it costs. A super-block of eight runs fills the lanes twice. */
struct runs {
	float x[LONGEST][RUNS] __attribute__((aligned(64))), w[LONGEST][RUNS] __attribute__((aligned(64))); /* C++ reads this, too */
	float unit[RUNS] __attribute__((aligned(64)));
};

/* The codes of a format: from low to high. */
struct codes {
	float low, high;
};

/* A format of blocks of 32 whose scale, and minimum if they have one, are halves of their own. */
struct block_format {
	struct codes codes;
	int minimums; /* whether there are */
};

/* A format of super-blocks, of SUPER / n runs of n values, with integer scales, and minimums if it has them, under
 * common halves. */
struct super_format {
	struct codes codes;
	int minimums, n;
	float least, most; /* of integer scales; minimums are 0 to most */
	float step;        /* of candidates for a free scale, in codes */
	float narrower;    /* how much each candidate of a half is below the one before */
	int rounds;        /* of refinement; more change hardly a block */
};

/* A super-block as integers: value i of run b is d * scale[b] * code[i] - dmin * minimum[b]. Codes and scales of
 * formats without a minimum are signed. */
struct super_codes {
	int8_t code[SUPER];
	int16_t scale[16], minimum[16];
	uint16_t d, dmin; /* halves */
};

/* A block of 32 with a scale of its own: value i is d * code[i] + m. */
struct block_codes {
	int8_t code[32];
	uint16_t d, m; /* halves */
};

struct quantise_kernels {
	/* search_blocks: each run is a block, of which it writes (RUNS). */
	void (*search_blocks)(const struct block_format *f, const struct runs *r, struct block_codes *out);
	/* search_super: the runs are those of one super-block. */
	void (*search_super)(const struct super_format *f, const struct runs *r, struct super_codes *out);
};

/* half_at is the half that stands for a scale of scaled values, scale_of what it means to them: unit is a power of two,
 * so that only the half's rounding shows, however small the unit is. */
static inline uint16_t half_at(float unit, float a) { return float_to_half(a * unit); }
static inline float scale_of(float unit, uint16_t h) { return half_to_float(h) / unit; }

/* half_above is that half, but no less than the scale: under it no integer scale leaves its range. Halves so small that
 * they are subnormal lie far apart. */
static inline uint16_t half_above(float unit, float a)
{
	uint16_t h = half_at(unit, a);
	float got = scale_of(unit, h);
	return (uint16_t)(h + (a < 0 ? got > a : got < a));
}
#endif
