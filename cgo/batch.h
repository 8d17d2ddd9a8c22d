/* batch.h mirrors engine.Batch's records: same fields, same order, four or eight bytes each. A test
 * compares sizes and offsets. */
#ifndef CHIMERA_BATCH_H
#define CHIMERA_BATCH_H
#include <stdint.h>

/* A token below this mark stands for a row of `vectors`: INT32_MIN + row. */
#define VECTOR_ROWS (INT32_MIN + (1 << 30))

enum {
	OUTPUT_SAMPLE = 1,
	OUTPUT_SCORE = 2,
	OUTPUT_WHOLE_ROW = 4,
	OUTPUT_LOG_SUM_EXP = 8,
	OUTPUT_RANK = 16,
	OUTPUT_TAPPED = 32
};

struct sequence_rows {
	int32_t first_token, token_count, adapter, reserved;
};

/* A sequence's page table in one group: pages[first + position / PAGE_TOKENS - base]. */
struct table {
	int32_t first, count, base, length;
};

struct output {
	int32_t row, mode, target, top;
	float temperature;
	int32_t top_k;
	float top_p, min_p, repetition, presence, frequency;
	int32_t choice;
	uint64_t seed;
	int32_t first_penalty, penalty_count, first_bias, bias_count, first_target, target_count, mask, tap;
};

struct penalty {
	int32_t token, seen, generated;
};

struct bias {
	int32_t token;
	float value;
};

struct result {
	int32_t token;
	float logit, log_sum_exp;
	int32_t rank;
	float target_logit;
	int32_t not_finite; /* 1 if a raw logit is NaN or infinite */
};

struct top_token {
	int32_t token;
	float logit;
};

/* The batch as the step reads it; mirrors engine.Batch. */
struct batch {
	const int32_t *tokens, *positions; /* (token_count) */
	const float *vectors;              /* (vector rows, width of the embedding) */
	const struct sequence_rows *sequences;
	const struct table *tables; /* (sequence_count, groups) */
	const int32_t *pages;
	const struct output *outputs;
	const struct penalty *penalties;
	const struct bias *biases;
	const int32_t *targets;
	struct result *results;
	struct top_token *top; /* (output_count, max_top) */
	float *target_logits;
	float *logits; /* (whole rows, vocab) */
	float *taps;   /* (tapped_count, tap_width) */
	int32_t token_count, sequence_count, output_count, max_top, tapped_count, tap_width;
};
#endif
