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
 * eight are inputs. */
struct device_batch {
	const struct step_counts *counts;
	const int32_t *tokens, *positions;     /* (T); a token -1-i is what output i of the step before sampled */
	const float *vectors;                  /* (vector rows, width of the embedding) */
	const int32_t *pages;                  /* page tables, one after another */
	const struct sequence_rows *sequences; /* (S) */
	const struct table *tables;            /* (S, groups) */
	const struct output *outputs;          /* (outputs) */
	const struct penalty *penalties;
	const struct bias *biases;
	const int32_t *targets;
	int32_t *ids;           /* (T) tokens, those of the step before filled in: by `prepare` */
	int32_t *sequence_of;   /* (T) the sequence of each row: by `prepare` */
	int32_t *whole_row;     /* (outputs) row in logits or -1: by `prepare` */
	struct result *results; /* (outputs); kept until the next step's head, for its `prepare` */
	struct top_token *top;  /* (outputs, max_top) */
	float *target_logits;   /* (targets) */
	float *logits;          /* (whole rows, vocab) */
	float *taps;            /* (tapped outputs, width of all taps) */
};

/* engine.Domain */
enum domain { PER_TOKEN = 1, PER_OUTPUT, PER_EXPERT, PER_SEQUENCE };

/* An activation matrix, (rows of its domain, width); data is NULL for NoValue. */
struct device_value {
	float *data;
	int32_t width;
	int32_t domain; /* enum domain */
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
	int32_t dim, style;     /* enum rope_style; dim 0: none */
	float magnitude;
	int32_t reserved;
};

/* What is done to each head on its way to a page or to attention. */
struct device_turn {
	const float *gamma; /* RMS norm, (head width), or NULL */
	float epsilon;
	int32_t reserved;
	struct device_rope rope;
};

/* A group's pages, and which of a sequence's tables is the group's. */
struct device_group {
	struct kv_layout kv;
	uint8_t *pages;
	int32_t index, groups; /* tables[sequence * groups + index] */
	int32_t mask, window;  /* enum kv_mask */
};

/* ---- one struct for each kind of kernel ---- */

struct op_rope {
	struct device_rope rope;
};

struct op_embed {
	struct device_value out;
	struct packed table;
	const float *positions; /* (context, width) or NULL */
	float scale;
	int32_t reserved;
};

struct op_norm {
	struct device_value in, out, residual;
	struct device_acts acts;
	const float *gamma, *beta; /* (width) or NULL */
	float epsilon;
	int32_t kind;     /* enum norm_kind */
	int32_t quantise; /* also write `out` to acts */
	int32_t reserved;
};

struct op_quantise {
	struct device_value in;
	struct device_acts acts;
};

/* One product of a Linears. */
struct op_linear {
	struct device_value in, out, residual;
	struct device_acts acts;
	struct packed weight, gate; /* gate.data is NULL without one */
	const float *bias;          /* (rows) or NULL */
	const float *gate_bias;     /* (rows) or NULL; added to the gate's sums before the activation */
	int32_t activation;         /* enum activation */
	int32_t reserved;
};

struct op_store {
	struct device_value k, v; /* v has no data in a latent group */
	struct device_turn turn;  /* of K */
	struct device_group group;
	int32_t layer; /* from 0 */
	int32_t reserved;
};

struct op_attend {
	struct device_value q, out;
	struct device_turn turn; /* of Q */
	struct device_group group;
	int32_t layer, heads; /* layer from 0 */
	int32_t splits;       /* of the longest context, the stride of partials */
	float scale, softcap; /* softcap 0: none */
	int32_t reserved;
	float *partials; /* attend_splits: (sequences, heads, splits, value_pad + 2): out, peak, sum */
};

struct op_add {
	struct device_value a, b, out;
};

struct op_rows {
	struct device_value in, out;
};

struct op_tap {
	struct device_value in;
	int32_t first, stride; /* of batch.taps: where its elements begin in a row, and how wide that is */
};

/* The logits of up to HEAD_ROWS output rows from first_row on, and what is made of them. */
struct op_head {
	struct device_value in;
	struct device_acts acts;
	struct packed weight;
	const float *bias; /* (vocab) or NULL */
	float *logits;     /* (HEAD_ROWS, vocab) */
	uint8_t *scratch;  /* (HEAD_ROWS, scratch_bytes) */
	int64_t scratch_bytes;
	int32_t first_row, vocab;
	float scale, softcap; /* softcap 0: none */
};

/* One launch. Which op counts the kernel knows. */
struct phase {
	const struct device_batch *batch;
	union {
		struct op_rope rope;
		struct op_embed embed;
		struct op_norm norm;
		struct op_quantise quantise;
		struct op_linear linear;
		struct op_store store;
		struct op_attend attend;
		struct op_add add;
		struct op_rows rows;
		struct op_tap tap;
		struct op_head head;
	} op;
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
