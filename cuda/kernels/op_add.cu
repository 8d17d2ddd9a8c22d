/* op_add.cu owns sums of rows. Thread block x takes row x. */
#include "lane.cuh"

KERNEL(add, ROW_THREADS)(const struct phase *p)
{
	const struct op_add *o = &p->op.add;
	int row = blockIdx.x;
	if (row >= rows_of(p, &o->out))
		return;
	const float *a = row_of(&o->a, row), *b = row_of(&o->b, row);
	float *out = row_of(&o->out, row);
	for (int i = threadIdx.x; i < o->out.width; i += ROW_THREADS)
		out[i] = a[i] + b[i];
}
