#include "op_embed.h"
#include "step.h"
#include <string.h>

static int embed_rows(const struct run *r, const struct phase *p) { return rows_of(r, p->op.embed.out); }

static void embed_token(const struct run *r, const struct op_embed *o, int32_t token, float *out)
{
	if (token < VECTOR_ROWS) {
		const float *vector = r->batch->vectors + ((int64_t)token - INT32_MIN) * o->out->width;
		memcpy(out, vector, (size_t)o->out->width * sizeof *out);
		return;
	}
	unpack_row(&o->table, token, out);
	if (o->scale != 1.0f)
		r->in->kernels->row.scale(out, o->scale, o->out->width);
}

static void embed_row(const struct run *r, const struct phase *p, int row, int worker)
{
	const struct op_embed *o = &p->op.embed;
	float *out = row_of(o->out, row);
	embed_token(r, o, r->batch->tokens[row], out);
	if (o->positions)
		r->in->kernels->row.add(out, out, o->positions + (int64_t)r->batch->positions[row] * o->out->width,
		                        o->out->width);
}

const struct runner embed_runner = {.rows = embed_rows, .row = embed_row};
