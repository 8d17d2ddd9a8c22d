/* op_quantise.cu owns the rounding of a value's rows for the products that follow. Thread block x takes row x. */
#include "quantise.cuh"

KERNEL(quantise, ROW_THREADS)(const struct phase *p)
{
	const struct op_quantise *o = &p->op.quantise;
	int row = blockIdx.x;
	if (row < rows_of(p, &o->in))
		round_row(&o->acts, row, row_of(&o->in, row), o->in.width);
}
