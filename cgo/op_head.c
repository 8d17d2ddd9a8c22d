/* Even rounds form the logits of LOGIT_ROWS rows, a chunk being TILE_GROUPS groups of weights; odd rounds do with
 * each of these rows what its output asks for. Where all rows are there for their taps nothing is formed. */
#include "op_head.h"
#include "draw.h"
#include "step.h"
#include <string.h>

static int64_t logits_stride(const struct op_head *o) { return (int64_t)o->weight.groups * GROUP; }

static int first_of(int round) { return round / 2 * LOGIT_ROWS; }

static int rows_in(const struct run *r, int round)
{
	return min_int(r->batch->output_count - first_of(round), LOGIT_ROWS);
}

static void form_logits(const struct run *r, const struct op_head *o, int first, int rows, int chunk)
{
	int g0 = chunk * TILE_GROUPS, g1 = min_int(g0 + TILE_GROUPS, o->weight.groups);
	int64_t ld = logits_stride(o);
	float *logits = r->in->logits + (int64_t)g0 * GROUP;
	struct acts x = r->in->acts;
	x.x = o->in->data;
	x.cols = o->in->width;
	r->in->kernels->product.product[o->weight.form](&o->weight, &x, g0, g1, first, first + rows, logits, (int)ld);
	for (int t = 0; t < rows; t++)
		r->in->kernels->row.logits(logits + t * ld, o->bias ? o->bias + g0 * GROUP : NULL, o->scale, o->softcap,
		                           min_int(o->weight.rows, g1 * GROUP) - g0 * GROUP);
}

/* copy_logits hands out what the output wants of the raw logits as they are. */
static void copy_logits(const struct run *r, int row, const float *logits)
{
	const struct batch *b = r->batch;
	const struct output *o = &b->outputs[row];
	if (r->in->whole_row[row] >= 0)
		memcpy(b->logits + (int64_t)r->in->whole_row[row] * r->in->vocab, logits,
		       (size_t)r->in->vocab * sizeof *logits);
	for (int i = o->first_target; i < o->first_target + o->target_count; i++)
		b->target_logits[i] = logits[b->targets[i]];
}

static void sample(const struct run *r, int row, const float *logits, int worker)
{
	const struct batch *b = r->batch;
	const struct output *o = &b->outputs[row];
	if (taps_alone(o)) {
		b->results[row] = (struct result){0};
		return;
	}
	copy_logits(r, row, logits);
	sample_row(&r->in->kernels->sample, logits, r->in->vocab, o, b->positions[o->row],
	           b->penalties + o->first_penalty, b->biases + o->first_bias, &b->results[row],
	           b->top + (int64_t)row * b->max_top, scratch_of(r, worker));
}

static int head_rounds(const struct run *r, const struct phase *p)
{
	return 2 * ceil_div(r->batch->output_count, LOGIT_ROWS);
}

static int head_chunks(const struct run *r, const struct phase *p, int round)
{
	if (round % 2 == 1)
		return rows_in(r, round);
	if (!forms_logits(&r->batch->outputs[first_of(round)], rows_in(r, round)))
		return 0;
	return ceil_div(p->op.head.weight.groups, TILE_GROUPS);
}

static void head_chunk(const struct run *r, const struct phase *p, int round, int chunk, int worker)
{
	const struct op_head *o = &p->op.head;
	if (round % 2 == 0)
		form_logits(r, o, first_of(round), rows_in(r, round), chunk);
	else
		sample(r, first_of(round) + chunk, r->in->logits + chunk * logits_stride(o), worker);
}

const struct runner head_runner = {.rounds = head_rounds, .chunks = head_chunks, .chunk = head_chunk};
