/* step.h owns the lowered program as C sees it: values, phases, and the instance that runs them.
 * Go fills these structures once, at load (fill.go); a step only reads them. */
#ifndef CHIMERA_STEP_H
#define CHIMERA_STEP_H
#include "attend.h"
#include "batch.h"
#include "cpu.h"
#include "kernels.h"
#include "pack.h"
#include "pool.h"

enum {
	LOGIT_ROWS = 16,  /* output rows whose logits exist at a time: bounds memory at any vocabulary */
	TILE_TOKENS = 32, /* tokens of a product tile */
	TILE_GROUPS = 8,  /* weight groups of a product tile, at most */
	QUERY_TOKENS = 8, /* tokens of one sequence that one attention chunk takes */
	ROW_CHUNK = 4,    /* rows of a row-wise chunk */
	MAX_LINEARS = 8,  /* products on one input */
};

/* An activation matrix, (T or output rows, width). */
struct value {
	float *data;
	int32_t width;
	int32_t per_output; /* one row per output row of the batch, not per token */
};

/* A rotary embedding: frequencies made at load, sines and cosines once per step. */
struct rope {
	const float *frequency; /* (dim / 2) */
	float *cosine, *sine;   /* (T, dim / 2) */
	int32_t dim, style;     /* style: 0 adjacent, 1 halves */
	float magnitude;
	int32_t reserved;
};

struct linear {
	struct packed weight, gate; /* gate.data is NULL without one */
	const float *bias;          /* (rows) or NULL */
	const float *gate_bias;     /* (rows) or NULL */
	const struct value *residual;
	struct value *out;
	int32_t activation;
	int32_t reserved;
};

enum phase_kind {
	PHASE_ROPE_TABLE,
	PHASE_EMBED,
	PHASE_NORM,
	PHASE_QUANTISE,
	PHASE_LINEARS,
	PHASE_STORE,
	PHASE_ATTEND,
	PHASE_ADD,
	PHASE_ROWS,
	PHASE_HEAD,
};

/* One phase. Which fields count depends on the kind; unused pointers are NULL. */
struct phase {
	int32_t kind;                 /* enum phase_kind */
	int32_t quantise;             /* NORM: also write `out` to the instance's quantised activations */
	const struct value *in, *in2; /* ADD: in + in2; STORE: Q is out, K is in, V is in2 */
	const struct value *residual; /* NORM */
	struct value *out;
	struct packed table;    /* EMBED */
	const float *positions; /* EMBED: (context, width) or NULL */
	float scale;            /* EMBED, ATTEND, HEAD */
	/* NORM, and the query and key norms of STORE */
	int32_t norm;
	const float *gamma, *beta; /* STORE: query norm, key norm */
	float epsilon;
	/* LINEARS; HEAD uses linear[0] */
	int32_t linears;
	struct linear *linear;
	/* STORE, ATTEND */
	const struct rope *rope;
	int32_t layer, heads, window;
	float softcap; /* ATTEND, HEAD */
};

/* Up to QUERY_TOKENS consecutive tokens of one sequence. */
struct query_tile {
	int32_t sequence, first_token, tokens;
};

/* The batch as the step reads it; mirrors engine.Batch. */
struct batch {
	const int32_t *tokens, *positions, *pages;
	const struct sequence_rows *sequences;
	const struct output *outputs;
	const struct penalty *penalties;
	const struct bias *biases;
	struct result *results;
	struct top_token *top;
	float *logits;
	int32_t token_count, sequence_count, output_count, max_top;
};

struct instance {
	const struct kernels *kernels;
	struct pool *pool;
	struct kv_layout kv;
	uint8_t *pages;             /* the pool of KV pages */
	const struct phase *phases; /* (phase_count) */
	int32_t phase_count;
	int32_t vocab;
	int32_t threads;
	int32_t reserved;
	struct acts acts;        /* the quantised input of the next products */
	float *tiles;            /* per worker: two product tiles, (TILE_TOKENS, TILE_GROUPS * 16) each */
	float *logits;           /* (LOGIT_ROWS, vocab padded to whole groups) */
	uint8_t *sample_scratch; /* per worker */
	int64_t sample_scratch_bytes;
	struct query_tile *query_tiles; /* of the current step */
	int32_t query_tile_count;
	int32_t reserved2;
	int32_t *whole_row; /* per output: its row in batch.logits, or -1 */
};

/* step_run computes the batch. It cannot fail: Go has checked what C relies on. */
void step_run(struct instance *in, const struct batch *b);
#endif
