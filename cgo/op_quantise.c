#include "op_quantise.h"
#include "step.h"

static int quantise_rows(const struct run *r, const struct phase *p) { return rows_of(r, p->op.quantise.in); }

static void quantise_row(const struct run *r, const struct phase *p, int row, int worker)
{
	const struct value *in = p->op.quantise.in;
	r->in->kernels->product.quantise(&r->in->acts, row, row_of(in, row), in->width);
}

const struct runner quantise_runner = {.rows = quantise_rows, .row = quantise_row};
