/* sample.h owns the interface of what is done with one row of logits. */
#ifndef CHIMERA_SAMPLE_H
#define CHIMERA_SAMPLE_H
#include "batch.h"
#include "cpu.h"

/* Passes over a whole row. A NaN counts as -inf in all of them but `finite`. */
struct sample_kernels {
	float (*peak)(const float *x, int n);
	/* sum_exp adds e^(x - peak): id mod 16 chooses the lane, lanes by the fixed tree. */
	float (*sum_exp)(const float *x, int n, float peak);
	int (*first_at)(const float *x, int n, float value); /* lowest id with that value, or -1 */
	int (*count_above)(const float *x, int n, float value);
	/* top writes the k largest, descending, ties lower id first; fewer than k if n is less. */
	void (*top)(const float *x, int n, int k, struct top_token *out);
	int (*finite)(const float *x, int n); /* whether no value is NaN or infinite */
	/* weights turns x into e^((x - peak) / temperature). */
	void (*weights)(float *x, int n, float peak, float temperature);
};

/* A token that may be drawn. */
struct candidate {
	float weight;
	int32_t token;
};

/* sample_scratch_bytes is what sample_row needs for a vocabulary. */
int64_t sample_scratch_bytes(int vocab);

/* sample_row does all that o asks of one row of raw logits; the order of operations stands on
 * engine.Output. `position` is that of the row, the counter of the random draw with seed and choice. */
void sample_row(const struct sample_kernels *k, const float *logits, int vocab, const struct output *o, int position,
                const struct penalty *penalties, const struct bias *biases, struct result *r, struct top_token *top,
                void *scratch);
#endif
