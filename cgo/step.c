/* step.c owns the step: every worker walks the phases, claims chunks of each and meets the others at
 * its end. Which worker computes a chunk never shows in the result. */
#include "step.h"
#include "rope.h"
#include <stdlib.h>
#include <string.h>

struct run {
	struct instance *in;
	const struct batch *batch;
};

static int ceil_div(int a, int b) { return (a + b - 1) / b; }

static int min_int(int a, int b) { return a < b ? a : b; }

static int rows_of(const struct run *r, const struct value *v)
{
	return v->per_output ? r->batch->output_count : r->batch->token_count;
}

static float *row_of(const struct value *v, int row) { return v->data + (int64_t)row * v->width; }

/* ---- row-wise phases: a chunk is ROW_CHUNK rows ---- */

static void run_rope_table(const struct run *r, const struct phase *p, int row)
{
	const struct rope *rope = p->rope;
	int64_t at = (int64_t)row * (rope->dim / 2);
	for (int i = 0; i < rope->dim / 2; i++)
		rope_angle(r->batch->positions[row], rope->frequency[i], rope->magnitude, &rope->cosine[at + i],
		           &rope->sine[at + i]);
}

static void run_embed(const struct run *r, const struct phase *p, int row)
{
	float *out = row_of(p->out, row);
	unpack_row(&p->table, r->batch->tokens[row], out);
	if (p->scale != 1.0f)
		r->in->kernels->row.scale(out, p->scale, p->out->width);
	if (p->positions)
		r->in->kernels->row.add(out, out, p->positions + (int64_t)r->batch->positions[row] * p->out->width,
		                        p->out->width);
}

static void run_norm(const struct run *r, const struct phase *p, int row)
{
	float *out = row_of(p->out, row);
	const float *residual = p->residual ? row_of(p->residual, row) : NULL;
	r->in->kernels->row.norm(p->norm, row_of(p->in, row), p->gamma, p->beta, residual, p->epsilon, p->out->width,
	                         out);
	if (p->quantise)
		r->in->kernels->product.quantise(&r->in->acts, row, out, p->out->width);
}

static void run_quantise(const struct run *r, const struct phase *p, int row)
{
	r->in->kernels->product.quantise(&r->in->acts, row, row_of(p->in, row), p->in->width);
}

static void run_add(const struct run *r, const struct phase *p, int row)
{
	r->in->kernels->row.add(row_of(p->out, row), row_of(p->in, row), row_of(p->in2, row), p->out->width);
}

static void run_rows(const struct run *r, const struct phase *p, int row)
{
	memcpy(row_of(p->out, row), row_of(p->in, r->batch->outputs[row].row), (size_t)p->out->width * sizeof(float));
}

/* ---- products: a chunk is TILE_TOKENS tokens by some groups of one output ---- */

/* groups_per_chunk: enough to share the loads of activations, few enough to keep all threads busy. */
static int groups_per_chunk(const struct run *r, int groups)
{
	int n = ceil_div(groups, 4 * r->in->threads);
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

static void run_linear(const struct run *r, const struct phase *p, const struct linear *l, int chunk, int worker)
{
	int rows = rows_of(r, p->in), per = groups_per_chunk(r, l->weight.groups);
	int columns = ceil_div(l->weight.groups, per);
	int g0 = chunk % columns * per, g1 = min_int(g0 + per, l->weight.groups);
	int t0 = chunk / columns * TILE_TOKENS, t1 = min_int(t0 + TILE_TOKENS, rows);
	float *tile = r->in->tiles + (int64_t)worker * 2 * TILE_TOKENS * TILE_GROUPS * GROUP;
	float *gate = NULL;
	product(r, &l->weight, p->in, g0, g1, t0, t1, tile);
	if (l->gate.data) {
		gate = tile + TILE_TOKENS * TILE_GROUPS * GROUP;
		product(r, &l->gate, p->in, g0, g1, t0, t1, gate);
		if (l->gate_bias)
			bias_gate(r, l, gate, g0, g1, t1 - t0);
	}
	finish_tile(r, l, tile, gate, g0, g1, t0, t1);
}

static int linears_chunks(const struct run *r, const struct phase *p)
{
	int n = 0;
	for (int i = 0; i < p->linears; i++)
		n += linear_chunks(r, &p->linear[i], rows_of(r, p->in));
	return n;
}

static void run_linears(const struct run *r, const struct phase *p, int chunk, int worker)
{
	for (int i = 0; i < p->linears; i++) {
		int n = linear_chunks(r, &p->linear[i], rows_of(r, p->in));
		if (chunk < n) {
			run_linear(r, p, &p->linear[i], chunk, worker);
			return;
		}
		chunk -= n;
	}
}

/* ---- attention ---- */

static const struct sequence_rows *sequence_of(const struct batch *b, int token)
{
	int low = 0, high = b->sequence_count - 1;
	while (low < high) {
		int mid = (low + high + 1) / 2;
		if (b->sequences[mid].first_token <= token)
			low = mid;
		else
			high = mid - 1;
	}
	return &b->sequences[low];
}

static void turn(const struct run *r, const struct phase *p, const float *gamma, float *x, int token)
{
	const struct row_kernels *k = &r->in->kernels->row;
	int n = r->in->kv.head_dim;
	if (gamma)
		k->norm(0, x, gamma, NULL, NULL, p->epsilon, n, x);
	if (p->rope) {
		int64_t at = (int64_t)token * (p->rope->dim / 2);
		k->rope(x, p->rope->cosine + at, p->rope->sine + at, p->rope->dim, p->rope->style);
	}
}

/* run_store norms and turns a token's queries and keys, and writes K and V to its page. The last token
 * of a sequence that opened the page in this step clears the slots behind it. */
static void run_store(const struct run *r, const struct phase *p, int token)
{
	const struct kv_layout *kv = &r->in->kv;
	const struct sequence_rows *s = sequence_of(r->batch, token);
	int position = r->batch->positions[token], slot = position % PAGE_TOKENS;
	int32_t page = r->batch->pages[s->first_page + position / PAGE_TOKENS];
	int last = token == s->first_token + s->token_count - 1, opened = token - s->first_token >= slot;
	for (int h = 0; h < p->heads; h++)
		turn(r, p, p->gamma, row_of(p->out, token) + (int64_t)h * kv->head_dim, token);
	for (int h = 0; h < kv->kv_heads; h++) {
		float *k = row_of(p->in, token) + (int64_t)h * kv->head_dim;
		uint8_t *head =
		        r->in->pages + page * kv->page_bytes + ((int64_t)p->layer * kv->kv_heads + h) * kv->head_bytes;
		turn(r, p, p->beta, k, token);
		r->in->kernels->attend.store(kv, head, slot, k, row_of(p->in2, token) + (int64_t)h * kv->head_dim);
		if (last && opened && slot < PAGE_TOKENS - 1)
			kv_clear_after(kv, head, slot);
	}
}

static void run_attend(const struct run *r, const struct phase *p, int chunk)
{
	const struct kv_layout *kv = &r->in->kv;
	const struct query_tile *q = &r->in->query_tiles[chunk / kv->kv_heads];
	int head = chunk % kv->kv_heads, group = p->heads / kv->kv_heads;
	const struct sequence_rows *s = &r->batch->sequences[q->sequence];
	int64_t at = (int64_t)head * group * kv->head_dim;
	struct attend_args a = {
	        .kv = kv,
	        .base = r->in->pages + ((int64_t)p->layer * kv->kv_heads + head) * kv->head_bytes,
	        .pages = r->batch->pages + s->first_page,
	        .q = row_of(p->in, q->first_token) + at,
	        .out = row_of(p->out, q->first_token) + at,
	        .q_stride = p->in->width,
	        .out_stride = p->out->width,
	        .first_position = r->batch->positions[q->first_token],
	        .rows = q->tokens * group,
	        .group = group,
	        .window = p->window,
	        .scale = p->scale,
	        .softcap = p->softcap,
	};
	r->in->kernels->attend.attend(&a);
}

/* ---- the head: logits of LOGIT_ROWS rows at a time, sampled where they are ---- */

static void run_logits(const struct run *r, const struct phase *p, int first, int rows, int chunk)
{
	const struct linear *l = p->linear;
	int per = TILE_GROUPS, g0 = chunk * per, g1 = min_int(g0 + per, l->weight.groups);
	int64_t ld = (int64_t)l->weight.groups * GROUP;
	struct acts x = r->in->acts;
	x.x = p->in->data;
	x.cols = p->in->width;
	r->in->kernels->product.product[l->weight.form](&l->weight, &x, g0, g1, first, first + rows,
	                                                r->in->logits + (int64_t)g0 * GROUP, (int)ld);
	for (int t = 0; t < rows; t++)
		r->in->kernels->row.logits(r->in->logits + t * ld + (int64_t)g0 * GROUP,
		                           l->bias ? l->bias + g0 * GROUP : NULL, p->scale, p->softcap,
		                           min_int(l->weight.rows, g1 * GROUP) - g0 * GROUP);
}

static void run_sample(const struct run *r, int row, const float *logits, int worker)
{
	const struct batch *b = r->batch;
	const struct output *o = &b->outputs[row];
	uint8_t *scratch = r->in->sample_scratch + worker * r->in->sample_scratch_bytes;
	if (r->in->whole_row[row] >= 0)
		memcpy(b->logits + (int64_t)r->in->whole_row[row] * r->in->vocab, logits,
		       (size_t)r->in->vocab * sizeof *logits);
	sample_row(&r->in->kernels->sample, logits, r->in->vocab, o, b->positions[o->row],
	           b->penalties + o->first_penalty, b->biases + o->first_bias, &b->results[row],
	           b->top + (int64_t)row * b->max_top, scratch);
}

static void run_head(const struct run *r, const struct phase *p, int worker)
{
	int groups = p->linear->weight.groups, rows = r->batch->output_count, chunk;
	int64_t ld = (int64_t)groups * GROUP;
	for (int first = 0; first < rows; first += LOGIT_ROWS) {
		int n = min_int(rows - first, LOGIT_ROWS);
		while ((chunk = pool_claim(r->in->pool)) < ceil_div(groups, TILE_GROUPS))
			run_logits(r, p, first, n, chunk);
		pool_barrier(r->in->pool);
		while ((chunk = pool_claim(r->in->pool)) < n)
			run_sample(r, first + chunk, r->in->logits + chunk * ld, worker);
		pool_barrier(r->in->pool);
	}
}

/* ---- the walk ---- */

typedef void row_fn(const struct run *r, const struct phase *p, int row);

static row_fn *const row_phases[] = {
        [PHASE_ROPE_TABLE] = run_rope_table,
        [PHASE_EMBED] = run_embed,
        [PHASE_NORM] = run_norm,
        [PHASE_QUANTISE] = run_quantise,
        [PHASE_STORE] = run_store,
        [PHASE_ADD] = run_add,
        [PHASE_ROWS] = run_rows,
        [PHASE_HEAD] = NULL,
};

static int phase_rows(const struct run *r, const struct phase *p)
{
	const struct value *v = p->out ? p->out : p->in;
	return v ? rows_of(r, v) : r->batch->token_count;
}

static void run_rows_of_phase(const struct run *r, const struct phase *p)
{
	int rows = phase_rows(r, p), chunk;
	while ((chunk = pool_claim(r->in->pool)) < ceil_div(rows, ROW_CHUNK)) {
		int end = min_int((chunk + 1) * ROW_CHUNK, rows);
		for (int row = chunk * ROW_CHUNK; row < end; row++)
			row_phases[p->kind](r, p, row);
	}
}

static void run_phase(const struct run *r, const struct phase *p, int worker)
{
	int chunk;
	switch (p->kind) {
	case PHASE_LINEARS:
		for (int n = linears_chunks(r, p); (chunk = pool_claim(r->in->pool)) < n;)
			run_linears(r, p, chunk, worker);
		break;
	case PHASE_ATTEND:
		for (int n = r->in->query_tile_count * r->in->kv.kv_heads; (chunk = pool_claim(r->in->pool)) < n;)
			run_attend(r, p, chunk);
		break;
	case PHASE_HEAD:
		run_head(r, p, worker);
		return; /* it ends with a barrier of its own */
	default:
		run_rows_of_phase(r, p);
	}
	pool_barrier(r->in->pool);
}

static void run_step(void *arg, int worker)
{
	const struct run *r = arg;
	for (int i = 0; i < r->in->phase_count; i++)
		run_phase(r, &r->in->phases[i], worker);
}

/* plan_batch lists the attention tiles and where whole rows go. */
static void plan_batch(struct instance *in, const struct batch *b)
{
	int n = 0, rows = 0;
	for (int s = 0; s < b->sequence_count; s++)
		for (int t = 0; t < b->sequences[s].token_count; t += QUERY_TOKENS)
			in->query_tiles[n++] =
			        (struct query_tile){s, b->sequences[s].first_token + t,
			                            min_int(b->sequences[s].token_count - t, QUERY_TOKENS)};
	in->query_tile_count = n;
	for (int i = 0; i < b->output_count; i++)
		in->whole_row[i] = b->outputs[i].mode & OUTPUT_WHOLE_ROW ? rows++ : -1;
}

void step_run(struct instance *in, const struct batch *b)
{
	struct run r = {in, b};
	plan_batch(in, b);
	pool_run(in->pool, run_step, &r);
}
