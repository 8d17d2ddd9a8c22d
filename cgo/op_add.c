#include "op_add.h"
#include "step.h"

static int add_rows(const struct run *r, const struct phase *p) { return rows_of(r, p->op.add.out); }

static void add_row(const struct run *r, const struct phase *p, int row, int worker)
{
	const struct op_add *o = &p->op.add;
	r->in->kernels->row.add(row_of(o->out, row), row_of(o->a, row), row_of(o->b, row), o->out->width);
}

const struct runner add_runner = {.rows = add_rows, .row = add_row};
