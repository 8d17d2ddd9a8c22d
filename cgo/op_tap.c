#include "op_tap.h"
#include "step.h"
#include <string.h>

/* A step of which nobody asks for taps has no rows here. */
static int tap_rows(const struct run *r, const struct phase *p)
{
	return r->batch->tapped_count > 0 ? r->batch->output_count : 0;
}

static void tap_row(const struct run *r, const struct phase *p, int row, int worker)
{
	const struct op_tap *o = &p->op.tap;
	const struct output *out = &r->batch->outputs[row];
	if (out->tap == 0)
		return;
	memcpy(r->batch->taps + (int64_t)(out->tap - 1) * r->batch->tap_width + o->first,
	       row_of(o->in, o->in->domain == PER_OUTPUT ? row : out->row), (size_t)o->in->width * sizeof(float));
}

const struct runner tap_runner = {.rows = tap_rows, .row = tap_row};
