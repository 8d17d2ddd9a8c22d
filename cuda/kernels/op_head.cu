/* op_head.cu owns the logits of output rows; sample.cu owns what is made of them. */
#include "product.cuh"

/* logit: softcap((acc + bias) * scale), in the buffer of the rows from first_row on. */
static __device__ void logit(const struct op_head *o, int row, int column, float acc)
{
	float y = acc;
	if (o->bias)
		y += o->bias[column];
	y *= o->scale;
	if (o->softcap > 0.0f)
		y = v_softcap(y, o->softcap);
	o->logits[(int64_t)(row - o->first_row) * o->vocab + column] = y;
}

template <int TOKENS> static __device__ void head_kernel(const struct phase *p)
{
	__shared__ union tile<TOKENS> tile;
	const struct op_head *o = &p->op.head;
	int end = min(o->first_row + HEAD_ROWS, p->batch->counts->outputs);
	struct product_rows rows = rows_from<TOKENS>(&o->in, &o->acts, o->first_row, end);
	int column = blockIdx.x * GROUP + threadIdx.x;
	if (rows.tokens == 0 || !forms_logits(&p->batch->outputs[rows.first], rows.tokens))
		return;
	float acc = product(&tile, &rows, &o->weight);
	if ((int)threadIdx.y < rows.tokens && column < o->weight.rows)
		logit(o, rows.first + threadIdx.y, column, acc);
}

KERNEL(head_one, PRODUCT_THREADS)(const struct phase *p) { head_kernel<1>(p); }
KERNEL(head_many, PRODUCT_THREADS)(const struct phase *p) { head_kernel<PRODUCT_TOKENS>(p); }
