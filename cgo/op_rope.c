#include "op_rope.h"
#include "rope.h"
#include "step.h"
#include <string.h>

static int rope_rows(const struct run *r, const struct phase *p) { return r->rows[PER_TOKEN]; }

static void rope_row(const struct run *r, const struct phase *p, int row, int worker)
{
	const struct rope *rope = p->op.rope.rope;
	int64_t at = (int64_t)row * (rope->dim / 2);
	for (int i = 0; i < rope->dim / 2; i++)
		rope_angle(r->batch->positions[row], rope->frequency[i], rope->magnitude, &rope->cosine[at + i],
		           &rope->sine[at + i]);
}

const struct runner rope_runner = {.rows = rope_rows, .row = rope_row};

void turn_head(const struct run *r, const struct turn *t, int token, const float *head, int n, float *out)
{
	const struct row_kernels *k = &r->in->kernels->row;
	if (t->gamma)
		k->norm(NORM_RMS, head, t->gamma, NULL, NULL, t->epsilon, n, out);
	else
		memcpy(out, head, (size_t)n * sizeof *out);
	if (t->rope) {
		int64_t at = (int64_t)token * (t->rope->dim / 2);
		k->rope(out, t->rope->cosine + at, t->rope->sine + at, t->rope->dim, t->rope->style);
	}
}
