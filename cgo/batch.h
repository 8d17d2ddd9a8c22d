/* batch.h mirrors engine.Batch's records: same fields, same order, four or eight bytes each. A test
 * compares sizes and offsets. */
#ifndef CHIMERA_BATCH_H
#define CHIMERA_BATCH_H
#include <stdint.h>

enum { OUTPUT_SAMPLE = 1, OUTPUT_SCORE = 2, OUTPUT_WHOLE_ROW = 4, OUTPUT_LOG_SUM_EXP = 8, OUTPUT_RANK = 16 };

struct sequence_rows {
	int32_t first_token, token_count, first_page, page_count;
};

struct output {
	int32_t row, mode, target, top;
	float temperature;
	int32_t top_k;
	float top_p, min_p, repetition, presence, frequency;
	int32_t choice;
	uint64_t seed;
	int32_t first_penalty, penalty_count, first_bias, bias_count;
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
	int32_t reserved;
};

struct top_token {
	int32_t token;
	float logit;
};
#endif
