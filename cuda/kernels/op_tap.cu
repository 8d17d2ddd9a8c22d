/* op_tap.cu owns the copy of a value's rows for the outputs that ask for them. Thread block x takes output x. */
#include "lane.cuh"

KERNEL(tap, ROW_THREADS)(const struct phase *p)
{
	const struct op_tap *o = &p->op.tap;
	int row = blockIdx.x;
	if (row >= p->batch->counts->outputs || p->batch->outputs[row].tap == 0)
		return;
	const struct output *out = &p->batch->outputs[row];
	const float *from = row_of(&o->in, o->in.domain == PER_OUTPUT ? row : out->row);
	float *to = p->batch->taps + (int64_t)(out->tap - 1) * o->stride + o->first;
	for (int i = threadIdx.x; i < o->in.width; i += ROW_THREADS)
		to[i] = from[i];
}
