#include "op_norm.h"
#include "step.h"

static int norm_rows(const struct run *r, const struct phase *p) { return rows_of(r, p->op.norm.out); }

static void norm_row(const struct run *r, const struct phase *p, int row, int worker)
{
	const struct op_norm *o = &p->op.norm;
	float *out = row_of(o->out, row);
	const float *residual = o->residual ? row_of(o->residual, row) : NULL;
	r->in->kernels->row.norm(o->norm, row_of(o->in, row), o->gamma, o->beta, residual, o->epsilon, o->out->width,
	                         out);
	if (o->quantise)
		r->in->kernels->product.quantise(&r->in->acts, row, out, o->out->width);
}

const struct runner norm_runner = {.rows = norm_rows, .row = norm_row};
