/* run.h owns what the phases of a step share: the instance's memory, the batch, and how many rows there are. */
#ifndef CHIMERA_RUN_H
#define CHIMERA_RUN_H
#include "batch.h"
#include "cpu.h"
#include "kernels.h"
#include "pack.h"
#include "pool.h"

enum {
	LOGIT_ROWS = 16,  /* output rows whose logits exist at a time: bounds memory at any vocabulary */
	TILE_TOKENS = 48, /* tokens of a product tile: whole tiles of 3, 4 and 8, whose inputs for a panel are 24 KiB */
	TILE_GROUPS = 8,  /* weight groups of a product tile, at most */
	QUERY_TOKENS = 8, /* tokens of one sequence that one attention chunk takes */
	QUERY_HEADS = 8,  /* query heads that share a KV head and a chunk: many share one in latent attention */
	ROW_CHUNK = 4,    /* rows of a row-wise chunk */
	MAX_LINEARS = 8,  /* products on one input */
};

/* engine.Domain */
enum domain { PER_TOKEN = 1, PER_OUTPUT, PER_EXPERT, PER_SEQUENCE, DOMAINS };

/* An activation matrix, (rows of its domain, width). */
struct value {
	float *data;
	int32_t width;
	int32_t domain; /* enum domain */
};

/* The pages of one group, or its slots; page i begins at i * kv.page_bytes. Slots have no layout but page_bytes. */
struct group_cache {
	struct kv_layout kv;
	uint8_t *pages;
	int32_t mask, window; /* enum kv_mask */
};

/* Up to QUERY_TOKENS consecutive tokens of one sequence. */
struct query_tile {
	int32_t sequence, first_token, tokens;
};

/* Where a step that gave way goes on: the first chunk that was not computed, of a round of a phase. */
struct place {
	int32_t phase, round, chunk;
};

/* What an instance owns beside its weights: all that steps write to. Plans of several generations of weights
 * point into it. */
struct instance {
	const struct kernels *kernels;
	struct pool *pool;
	const struct group_cache *groups; /* (group_count) */
	int32_t group_count;
	int32_t vocab;
	struct query_tile *query_tiles; /* of the current step */
	int32_t query_tile_count;
	int32_t reserved;
	int64_t *phase_ns;     /* per phase, added to; NULL: nobody asks how long they take */
	struct place resume;   /* of the current step; zeros where it begins */
	int32_t *whole_row;    /* per output: its row in batch.logits, or -1 */
	struct acts acts;      /* the quantised input of the next products */
	float *logits;         /* (LOGIT_ROWS, vocab padded to whole groups) */
	uint8_t *scratch;      /* per worker: what one chunk of any phase needs */
	int64_t scratch_bytes; /* of one worker; a multiple of 64 */
};

/* A step under way. */
struct run {
	const struct instance *in;
	const struct batch *batch;
	int32_t rows[DOMAINS];
};

struct phase;

/* What a kind of phase does. A phase runs in rounds with a barrier behind each, a round in chunks that workers
 * claim; which worker computes a chunk never shows in the result. A row-wise kind has `rows` and `row` alone. */
struct runner {
	int (*rows)(const struct run *r, const struct phase *p);
	void (*row)(const struct run *r, const struct phase *p, int row, int worker);
	int (*rounds)(const struct run *r, const struct phase *p); /* NULL: one */
	int (*chunks)(const struct run *r, const struct phase *p, int round);
	void (*chunk)(const struct run *r, const struct phase *p, int round, int chunk, int worker);
};

static inline int ceil_div(int a, int b) { return (a + b - 1) / b; }

static inline int min_int(int a, int b) { return a < b ? a : b; }

static inline int rows_of(const struct run *r, const struct value *v) { return r->rows[v->domain]; }

static inline float *row_of(const struct value *v, int row) { return v->data + (int64_t)row * v->width; }

static inline void *scratch_of(const struct run *r, int worker)
{
	return r->in->scratch + worker * r->in->scratch_bytes;
}

static inline const struct table *table_of(const struct run *r, int sequence, int group)
{
	return &r->batch->tables[(int64_t)sequence * r->in->group_count + group];
}
#endif
