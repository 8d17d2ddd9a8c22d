/* op_norm.cu owns norms of whole rows. Thread block x takes row x. */
#include "norm.cuh"
#include "quantise.cuh"

/* normalise, not norm: CUDA has a function of that name. */
KERNEL(normalise, ROW_THREADS)(const struct phase *p)
{
	const struct op_norm *o = &p->op.norm;
	int row = blockIdx.x, n = o->out.width;
	if (row >= rows_of(p, &o->out))
		return;
	const float *x = row_of(&o->in, row), *residual = o->residual.data ? row_of(&o->residual, row) : NULL;
	float *out = row_of(&o->out, row);
	/* Each sixteen threads form the same two numbers: so none waits for another. */
	struct norm_scale s = norm_scale_of(o->kind, x, o->epsilon, n, threadIdx.x % LANES);
	__syncthreads(); /* out may be x */
	for (int i = threadIdx.x; i < n; i += ROW_THREADS) {
		float y = (x[i] - s.mean) * s.scale;
		if (o->gamma)
			y *= o->gamma[i];
		if (o->beta)
			y += o->beta[i];
		if (residual)
			y += residual[i];
		out[i] = y;
	}
	if (!o->quantise)
		return;
	__syncthreads();
	round_row(&o->acts, row, out, n);
}
