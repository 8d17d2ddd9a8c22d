/* op_rows.cu owns the choice of output rows. Thread block x takes output x. */
#include "lane.cuh"

KERNEL(gather, ROW_THREADS)(const struct phase *p)
{
	const struct op_rows *o = &p->op.rows;
	int row = blockIdx.x;
	if (row >= p->batch->counts->outputs)
		return;
	const float *from = row_of(&o->in, p->batch->outputs[row].row);
	float *out = row_of(&o->out, row);
	for (int i = threadIdx.x; i < o->out.width; i += ROW_THREADS)
		out[i] = from[i];
}
