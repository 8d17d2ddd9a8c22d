/* product.h owns the interface of matrix products: packed weights times activation rows. */
#ifndef CHIMERA_PRODUCT_H
#define CHIMERA_PRODUCT_H
#include "form.h"

/* The rows that a product reads: floats for float weights, blocks of int8 for quantised ones.
 * A block of 32 values has q = round(x / d), d = amax / 127. */
struct acts {
	const float *x;      /* (T, cols) */
	int8_t *q;           /* (T, q_stride) */
	float *d;            /* (T, blocks): scale of each block */
	float *sum;          /* (T, blocks): d * sum of the block's q */
	float *half_sum;     /* (T, 2 blocks): d * sum of each half of the block's q */
	int32_t *total;      /* (T, blocks): sum of q, times which codes are too large by their centre */
	int32_t *half_total; /* (T, 2 blocks) */
	int32_t *start;      /* (T, blocks): two int16, -16 times the sum of q 4k and 4k + 1, and of the others */
	int32_t *half_start; /* (T, 2 blocks): -32 times those of each half */
	int32_t cols;        /* width of x */
	int32_t blocks;      /* blocks per row that the arrays hold */
};

typedef void product_fn(const struct packed *w, const struct acts *x, int g0, int g1, int t0, int t1, float *out,
                        int ld);

struct product_kernels {
	/* product[form] writes groups [g0, g1) of tokens [t0, t1): group g, lane i of token t goes to
	 * out[(t - t0) * ld + (g - g0) * 16 + i]. */
	product_fn *product[FORM_COUNT];
	/* quantise rounds row t of x, n wide, into the block arrays. */
	void (*quantise)(const struct acts *a, int t, const float *x, int n);
};
#endif
