/* op_rope.cu owns the tables of sines and cosines. Thread block x takes row x. */
#include "lane.cuh"
#include "../../cgo/rope.h"

KERNEL(rope_table, ROW_THREADS)(const struct phase *p)
{
	const struct device_rope *rope = &p->op.rope.rope;
	int row = blockIdx.x, half = rope->dim / 2;
	if (row >= p->batch->counts->tokens)
		return;
	for (int i = threadIdx.x; i < half; i += ROW_THREADS) {
		int64_t at = (int64_t)row * half + i;
		rope_angle(p->batch->positions[row], rope->frequency[i], rope->magnitude, &rope->cosine[at],
		           &rope->sine[at]);
	}
}
