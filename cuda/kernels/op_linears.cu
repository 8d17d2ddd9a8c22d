/* op_linears.cu owns the products of a layer and what follows them. */
#include "product.cuh"

/* epilogue: act(gate + gate_bias) * (acc + bias) + residual, or act(acc + bias) + residual. */
static __device__ void epilogue(const struct op_linear *o, int row, int column, float acc, float gate)
{
	float y = acc;
	if (o->bias)
		y += o->bias[column];
	if (o->gate_bias)
		gate += o->gate_bias[column];
	if (o->gate.data)
		y = v_activate(gate, o->activation) * y;
	else
		y = v_activate(y, o->activation);
	if (o->residual.data)
		y += row_of(&o->residual, row)[column];
	row_of(&o->out, row)[column] = y;
}

template <int TOKENS> static __device__ void product_kernel(const struct phase *p)
{
	__shared__ union tile<TOKENS> tile;
	const struct op_linear *o = &p->op.linear;
	struct product_rows rows = rows_from<TOKENS>(&o->in, &o->acts, 0, rows_of(p, &o->in));
	int column = blockIdx.x * GROUP + threadIdx.x;
	if (rows.tokens == 0)
		return;
	float acc = product(&tile, &rows, &o->weight), gate = 0.0f;
	if (o->gate.data)
		gate = product(&tile, &rows, &o->gate);
	if ((int)threadIdx.y < rows.tokens && column < o->weight.rows)
		epilogue(o, rows.first + threadIdx.y, column, acc, gate);
}

KERNEL(product_one, PRODUCT_THREADS)(const struct phase *p) { product_kernel<1>(p); }
KERNEL(product_many, PRODUCT_THREADS)(const struct phase *p) { product_kernel<PRODUCT_TOKENS>(p); }
