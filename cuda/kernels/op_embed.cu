/* op_embed.cu owns the rows of tokens. Thread block x takes row x. */
#include "lane.cuh"
#include "../interleave.h"

/* embed_element scales element k of a token's row; a vector is not scaled. */
static __device__ void embed_element(const struct op_embed *o, int position, int k, bool vector, float *out)
{
	if (o->scale != 1.0f && !vector)
		*out *= o->scale;
	if (o->positions)
		*out += o->positions[(int64_t)position * o->out.width + k];
}

static __device__ void embed_vector(const struct op_embed *o, const float *vector, int position, float *out)
{
	for (int k = threadIdx.x; k < o->out.width; k += ROW_THREADS) {
		out[k] = vector[k];
		embed_element(o, position, k, true, &out[k]);
	}
}

KERNEL(embed, ROW_THREADS)(const struct phase *p)
{
	const struct op_embed *o = &p->op.embed;
	const struct packed *w = &o->table;
	int row = blockIdx.x;
	if (row >= p->batch->counts->tokens)
		return;
	int id = p->batch->ids[row], position = p->batch->positions[row];
	float *out = row_of(&o->out, row);
	if (id < VECTOR_ROWS) {
		embed_vector(o, p->batch->vectors + ((int64_t)id - INT32_MIN) * o->out.width, position, out);
		return;
	}
	int lane = id % GROUP;
	const uint8_t *group = w->data + id / GROUP * w->group_bytes;
	if (w->form < PACK_U4) {
		for (int k = threadIdx.x; k < w->cols; k += ROW_THREADS) {
			out[k] = unpack_float(w->form, group, lane, k);
			embed_element(o, position, k, false, &out[k]);
		}
		return;
	}
	for (int i = threadIdx.x; i < w->cols / BLOCK; i += ROW_THREADS) {
		unpack_block(w->form, group, lane, i, out + i * BLOCK);
		for (int k = i * BLOCK; k < (i + 1) * BLOCK; k++)
			embed_element(o, position, k, false, &out[k]);
	}
}
