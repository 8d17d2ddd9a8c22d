/* plan.h owns the lowered program as GPU kernels see it, for Go (through cgo), nvcc and the host emulation.
 *
 * Every kernel takes one argument, the device address of its struct: `extern "C" __global__ void
 * normalise(const struct phase *p)`. The structs are written once, at load, so a captured graph never changes;
 * what differs from step to step is read through `batch`. Grids are sized for a bucket of rows, so each
 * kernel compares its row with the step's counts first.
 *
 * The arithmetic is the CPU's, operation by operation (cgo's scalar kernels are the oracle): the same bytes.
 * Device code is built with -fmad=false, fma is written out; no intrinsic that rounds otherwise. */
#ifndef CHIMERA_PLAN_H
#define CHIMERA_PLAN_H
#include "../cgo/attend.h"
#include "../cgo/batch.h"
#include "../cgo/cpu.h"
#include "../cgo/draw.h"
#include "../cgo/rows.h"

enum {
	HEAD_ROWS = 32,       /* output rows whose logits exist at a time: bounds memory at any vocabulary */
	PRODUCT_LANES = 16,   /* threadIdx.x of a product: the weight rows of a group */
	PRODUCT_SLICES = 8,   /* threadIdx.y of a product: blocks of 32 inputs that are summed side by side */
	PRODUCT_TOKENS = 8,   /* rows that product_many takes per thread block; product_one takes one */
	ROW_THREADS = 128,    /* threads of row-wise kernels */
	ATTEND_THREADS = 256, /* one thread per position of a split */
	SAMPLE_THREADS = 512, /* threads of sample: one thread block per output row */
};

/* The counts of one step, copied in before its kernels run. */
struct step_counts {
	int32_t tokens, sequences, outputs, max_top;
};

/* The batch on the device. Addresses are fixed at load; a step copies new contents. All but the last
 * six are inputs. */
struct device_batch {
	const struct step_counts *counts;
	const int32_t *tokens, *positions;     /* (T); a token -1-i is what output i of the step before sampled */
	const int32_t *pages;                  /* page tables, one after another */
	const struct sequence_rows *sequences; /* (S) */
	const struct output *outputs;          /* (outputs) */
	const struct penalty *penalties;
	const struct bias *biases;
	int32_t *ids;           /* (T) tokens, those of the step before filled in: by `prepare` */
	int32_t *sequence_of;   /* (T) the sequence of each row: by `prepare` */
	int32_t *whole_row;     /* (outputs) row in logits or -1: by `prepare` */
	struct result *results; /* (outputs); kept until the next step's head, for its `prepare` */
	struct top_token *top;  /* (outputs, max_top) */
	float *logits;          /* (whole rows, vocab) */
};

/* An activation matrix, (T or outputs, width). */
struct device_value {
	float *data;
	int32_t width;
	int32_t per_output; /* one row per output row, not per token */
};

/* The quantised input of the next products: as struct acts of cgo, without what only AVX wants. */
struct device_acts {
	int8_t *q;       /* (rows, blocks * 32) */
	float *d;        /* (rows, blocks): scale of each block */
	float *sum;      /* (rows, blocks): d * sum of the block's q */
	float *half_sum; /* (rows, 2 blocks): d * sum of each half of the block's q */
	int32_t blocks;  /* per row that the arrays hold */
	int32_t reserved;
};

struct device_rope {
	const float *frequency; /* (dim / 2), made at load */
	float *cosine, *sine;   /* (T, dim / 2), made once per step by `rope_table` */
	int32_t dim, style;     /* enum rope_style */
	float magnitude;
	int32_t reserved;
};

/* One launch. Which fields count depends on the kernel; unused pointers are NULL. */
struct phase {
	const struct device_batch *batch;
	struct device_acts acts;
	struct device_value in, in2, out, residual; /* add: in + in2; store: Q is out, K is in, V is in2 */
	int32_t vocab;
	int32_t quantise; /* norm: also write `out` to acts */
	/* embed; positions is (context, width) or NULL */
	struct packed table;
	const float *positions;
	float scale;   /* embed, attend, head */
	float softcap; /* attend, head: 0 for none */
	/* norm, and the query and key norms of store (gamma: of Q, beta: of K) */
	int32_t norm; /* enum norm_kind */
	float epsilon;
	const float *gamma, *beta;
	/* product; head */
	struct packed weight, gate; /* gate.data is NULL without one */
	const float *bias;          /* (rows) or NULL */
	const float *gate_bias;     /* (rows) or NULL; added to the gate's sums before the activation */
	int32_t activation;         /* enum activation */
	int32_t first_row;          /* head, sample: the first of up to HEAD_ROWS output rows */
	float *logits;              /* head, sample: (HEAD_ROWS, vocab) */
	/* store, attend */
	struct device_rope rope; /* rope.dim is 0 without one; rope_table uses it too */
	struct kv_layout kv;
	uint8_t *pages;                       /* the pool */
	int32_t layer, heads, window, splits; /* splits: of the longest context, the stride of partials */
	float *partials; /* attend_splits: (sequences, heads, splits, head_pad + 2): out, peak, sum */
	/* sample */
	uint8_t *scratch; /* (HEAD_ROWS, scratch_bytes) */
	int64_t scratch_bytes;
};

/* sample_row_bytes is what one row of `sample` needs of its scratch: weights, the sums of their chunks, and two
 * lists of ids for the sort. */
static inline PORTABLE int64_t sample_row_bytes(int32_t vocab)
{
	int64_t padded = ((int64_t)vocab + 15) / 16 * 16;
	return padded * (int64_t)sizeof(float) + (padded / DRAW_CHUNK + 1) * (int64_t)sizeof(double) +
	       2 * padded * (int64_t)sizeof(int32_t);
}

/* What `repack` does with one tensor, or a part of it that is on the device already. */
struct repack_args {
	struct packed to;    /* whole matrix */
	const uint8_t *from; /* source rows of groups first_group ..., row_bytes apart */
	int64_t row_bytes;
	uint32_t type; /* GGUF type id */
	int32_t first_group, groups;
	int32_t rows; /* valid source rows from `from` on; lanes beyond are zeros */
};

/* What `copy_pages` does: thread block x copies pair x. */
struct copy_pages_args {
	uint8_t *pages;
	int64_t page_bytes;
	const int32_t *pairs; /* (count, 2): from, to */
	int32_t count, reserved;
};
#endif
