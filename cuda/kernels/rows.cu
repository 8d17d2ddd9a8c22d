/* rows.cu owns what works on one row at a time: embedding, norms, the rounding of activations, sums, rotary
 * tables and the choice of output rows. Thread block x takes row x. */
#include "lane.cuh"
#include "norm.cuh"
#include "../../cgo/pack.h"
#include "../../cgo/rope.h"

KERNEL __launch_bounds__(ROW_THREADS) rope_table(const struct phase *p)
{
	const struct device_rope *rope = &p->rope;
	int row = blockIdx.x, half = rope->dim / 2;
	if (row >= p->batch->counts->tokens)
		return;
	for (int i = threadIdx.x; i < half; i += ROW_THREADS) {
		int64_t at = (int64_t)row * half + i;
		rope_angle(p->batch->positions[row], rope->frequency[i], rope->magnitude, &rope->cosine[at],
		           &rope->sine[at]);
	}
}

/* ---- embedding ---- */

static __device__ void embed_element(const struct phase *p, int position, int k, float *out)
{
	if (p->scale != 1.0f)
		*out *= p->scale;
	if (p->positions)
		*out += p->positions[(int64_t)position * p->out.width + k];
}

KERNEL __launch_bounds__(ROW_THREADS) embed(const struct phase *p)
{
	const struct packed *w = &p->table;
	int row = blockIdx.x;
	if (row >= p->batch->counts->tokens)
		return;
	int id = p->batch->ids[row], position = p->batch->positions[row], lane = id % GROUP;
	const uint8_t *group = w->data + id / GROUP * w->group_bytes;
	float *out = row_of(&p->out, row);
	if (w->form < PACK_U4) {
		for (int k = threadIdx.x; k < w->cols; k += ROW_THREADS) {
			out[k] = unpack_float(w->form, group, lane, k);
			embed_element(p, position, k, &out[k]);
		}
		return;
	}
	for (int i = threadIdx.x; i < w->cols / BLOCK; i += ROW_THREADS) {
		unpack_block(w->form, group, lane, i, out + i * BLOCK);
		for (int k = i * BLOCK; k < (i + 1) * BLOCK; k++)
			embed_element(p, position, k, &out[k]);
	}
}

/* ---- the rounding of activations ---- */

/* round_block rounds the block of n values at x to int8, half to even. A NaN or an infinity among them gives a
 * NaN or infinite scale, which shows in the result instead of hiding. A scale below the normal numbers has no
 * finite inverse: such a block is zero. */
static __device__ void round_block(const struct device_acts *a, int64_t at, const float *x, int n)
{
	float highest = 0.0f;
	bool nan = false;
	for (int i = 0; i < n; i++) {
		highest = v_max(v_abs(x[i]), highest);
		nan |= v_isnan(x[i]);
	}
	float d = (nan ? NAN : highest) / 127.0f, inverse = d >= 0x1p-126f ? 1.0f / d : 0.0f;
	int sum[2] = {0, 0};
	for (int i = 0; i < BLOCK; i++) {
		int v = i < n ? v_to_int(x[i] * inverse) : v_to_int(0.0f * inverse);
		v = v > 127 ? 127 : v < -127 ? -127 : v;
		a->q[at * BLOCK + i] = (int8_t)v;
		sum[i / 16] += v;
	}
	a->d[at] = d;
	a->sum[at] = d * (float)(sum[0] + sum[1]);
	a->half_sum[at * 2] = d * (float)sum[0];
	a->half_sum[at * 2 + 1] = d * (float)sum[1];
}

static __device__ void round_row(const struct device_acts *a, int row, const float *x, int n)
{
	for (int b = threadIdx.x; b * BLOCK < n; b += ROW_THREADS)
		round_block(a, (int64_t)row * a->blocks + b, x + b * BLOCK, min(BLOCK, n - b * BLOCK));
}

KERNEL __launch_bounds__(ROW_THREADS) quantise(const struct phase *p)
{
	int row = blockIdx.x;
	if (row < rows_of(p, &p->in))
		round_row(&p->acts, row, row_of(&p->in, row), p->in.width);
}

/* ---- norms ---- */

/* normalise, not norm: CUDA has a function of that name. */
KERNEL __launch_bounds__(ROW_THREADS) normalise(const struct phase *p)
{
	int row = blockIdx.x, n = p->out.width;
	if (row >= rows_of(p, &p->out))
		return;
	const float *x = row_of(&p->in, row), *residual = p->residual.data ? row_of(&p->residual, row) : NULL;
	float *out = row_of(&p->out, row);
	/* Each sixteen threads form the same two numbers: so none waits for another. */
	struct norm_scale s = norm_scale_of(p->norm, x, p->epsilon, n, threadIdx.x % LANES);
	__syncthreads(); /* out may be x */
	for (int i = threadIdx.x; i < n; i += ROW_THREADS) {
		float y = (x[i] - s.mean) * s.scale;
		if (p->gamma)
			y *= p->gamma[i];
		if (p->beta)
			y += p->beta[i];
		if (residual)
			y += residual[i];
		out[i] = y;
	}
	if (!p->quantise)
		return;
	__syncthreads();
	round_row(&p->acts, row, out, n);
}

/* ---- sums and gathering ---- */

KERNEL __launch_bounds__(ROW_THREADS) add(const struct phase *p)
{
	int row = blockIdx.x;
	if (row >= rows_of(p, &p->out))
		return;
	const float *a = row_of(&p->in, row), *b = row_of(&p->in2, row);
	float *out = row_of(&p->out, row);
	for (int i = threadIdx.x; i < p->out.width; i += ROW_THREADS)
		out[i] = a[i] + b[i];
}

KERNEL __launch_bounds__(ROW_THREADS) gather(const struct phase *p)
{
	int row = blockIdx.x;
	if (row >= p->batch->counts->outputs)
		return;
	const float *from = row_of(&p->in, p->batch->outputs[row].row);
	float *out = row_of(&p->out, row);
	for (int i = threadIdx.x; i < p->out.width; i += ROW_THREADS)
		out[i] = from[i];
}
