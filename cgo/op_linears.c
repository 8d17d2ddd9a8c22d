/* A chunk is TILE_TOKENS rows by some groups of one output. */
#include "op_linears.h"
#include "step.h"

/* groups_per_chunk: enough to share the loads of activations, few enough to keep all threads busy. */
static int groups_per_chunk(const struct run *r, int groups)
{
	int n = ceil_div(groups, 4 * pool_active(r->in->pool));
	return n < 1 ? 1 : min_int(n, TILE_GROUPS);
}

static int linear_chunks(const struct run *r, const struct linear *l, int rows)
{
	return ceil_div(l->weight.groups, groups_per_chunk(r, l->weight.groups)) * ceil_div(rows, TILE_TOKENS);
}

static void finish_tile(const struct run *r, const struct linear *l, const float *acc, const float *gate, int g0,
                        int g1, int t0, int t1)
{
	int first = g0 * GROUP, n = min_int(l->weight.rows, g1 * GROUP) - first;
	int ld = (g1 - g0) * GROUP;
	for (int t = t0; t < t1; t++) {
		const float *residual = l->residual ? row_of(l->residual, t) + first : NULL;
		r->in->kernels->row.epilogue(row_of(l->out, t) + first, acc + (int64_t)(t - t0) * ld,
		                             gate ? gate + (int64_t)(t - t0) * ld : NULL,
		                             l->bias ? l->bias + first : NULL, residual, l->activation, n);
	}
}

/* bias_gate adds the gate's bias to its tile. */
static void bias_gate(const struct run *r, const struct linear *l, float *tile, int g0, int g1, int tokens)
{
	int first = g0 * GROUP, n = min_int(l->weight.rows, g1 * GROUP) - first;
	for (int t = 0; t < tokens; t++) {
		float *row = tile + (int64_t)t * (g1 - g0) * GROUP;
		r->in->kernels->row.add(row, row, l->gate_bias + first, n);
	}
}

static void product(const struct run *r, const struct packed *w, const struct value *in, int g0, int g1, int t0, int t1,
                    float *tile)
{
	struct acts x = r->in->acts;
	x.x = in->data;
	x.cols = in->width;
	r->in->kernels->product.product[w->form](w, &x, g0, g1, t0, t1, tile, (g1 - g0) * GROUP);
}

static void linear_chunk(const struct run *r, const struct value *in, const struct linear *l, int chunk, float *tile)
{
	int per = groups_per_chunk(r, l->weight.groups), columns = ceil_div(l->weight.groups, per);
	int g0 = chunk % columns * per, g1 = min_int(g0 + per, l->weight.groups);
	int t0 = chunk / columns * TILE_TOKENS, t1 = min_int(t0 + TILE_TOKENS, rows_of(r, in));
	float *gate = NULL;
	product(r, &l->weight, in, g0, g1, t0, t1, tile);
	if (l->gate.data) {
		gate = tile + TILE_TOKENS * TILE_GROUPS * GROUP;
		product(r, &l->gate, in, g0, g1, t0, t1, gate);
		if (l->gate_bias)
			bias_gate(r, l, gate, g0, g1, t1 - t0);
	}
	finish_tile(r, l, tile, gate, g0, g1, t0, t1);
}

static int linears_chunks(const struct run *r, const struct phase *p, int round)
{
	const struct op_linears *o = &p->op.linears;
	int n = 0;
	for (int i = 0; i < o->count; i++)
		n += linear_chunks(r, &o->linear[i], rows_of(r, o->in));
	return n;
}

static void linears_chunk(const struct run *r, const struct phase *p, int round, int chunk, int worker)
{
	const struct op_linears *o = &p->op.linears;
	const struct linear *l = o->linear;
	for (int n; chunk >= (n = linear_chunks(r, l, rows_of(r, o->in))); l++)
		chunk -= n;
	linear_chunk(r, o->in, l, chunk, scratch_of(r, worker));
}

const struct runner linears_runner = {.chunks = linears_chunks, .chunk = linears_chunk};
