#include "op_rows.h"
#include "step.h"
#include <string.h>

static int rows_rows(const struct run *r, const struct phase *p) { return rows_of(r, p->op.rows.out); }

static void rows_row(const struct run *r, const struct phase *p, int row, int worker)
{
	const struct op_rows *o = &p->op.rows;
	memcpy(row_of(o->out, row), row_of(o->in, r->batch->outputs[row].row), (size_t)o->out->width * sizeof(float));
}

const struct runner rows_runner = {.rows = rows_rows, .row = rows_row};
