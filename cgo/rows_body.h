/* rows_body.h owns norms, the epilogues of products and rotary positions. */

INLINE vf FN(load_tail)(const float *p, int i, int n)
{
	return n - i >= LANES ? v_load(p + i) : v_load_n(p + i, n - i, 0.0f);
}

INLINE void FN(store_tail)(float *p, int i, int n, vf x)
{
	if (n - i >= LANES)
		v_store(p + i, x);
	else
		v_store_n(p + i, x, n - i);
}

/* Element i goes to lane i mod 16; absent lanes add an exact zero. */
INLINE float FN(sum_squares)(const float *x, float mean, int n)
{
	vf sum = v_zero();
	for (int i = 0; i < n; i += LANES) {
		int m = n - i;
		vf d = m >= LANES ? v_sub(v_load(x + i), v_set1(mean)) : v_sub(v_load_n(x + i, m, mean), v_set1(mean));
		sum = v_fma(d, d, sum);
	}
	return v_sum(sum);
}

INLINE float FN(mean)(const float *x, int n)
{
	vf sum = v_zero();
	for (int i = 0; i < n; i += LANES)
		sum = v_add(sum, FN(load_tail)(x, i, n));
	return v_sum(sum) / (float)n;
}

static void FN(norm)(int kind, const float *x, const float *gamma, const float *beta, const float *residual,
                     float epsilon, int n, float *out)
{
	float mean = kind == NORM_LAYER ? FN(mean)(x, n) : 0.0f;
	float scale = 1.0f / sqrtf(FN(sum_squares)(x, mean, n) / (float)n + epsilon);
	for (int i = 0; i < n; i += LANES) {
		vf y = v_mul(v_sub(FN(load_tail)(x, i, n), v_set1(mean)), v_set1(scale));
		if (gamma)
			y = v_mul(y, FN(load_tail)(gamma, i, n));
		if (beta)
			y = v_add(y, FN(load_tail)(beta, i, n));
		if (residual)
			y = v_add(y, FN(load_tail)(residual, i, n));
		FN(store_tail)(out, i, n, y);
	}
}

static void FN(epilogue)(float *out, const float *acc, const float *gate, const float *bias, const float *residual,
                         int activation, int n)
{
	for (int i = 0; i < n; i += LANES) {
		vf y = FN(load_tail)(acc, i, n);
		if (bias)
			y = v_add(y, FN(load_tail)(bias, i, n));
		if (gate)
			y = v_mul(v_activate(FN(load_tail)(gate, i, n), activation), y);
		else
			y = v_activate(y, activation);
		if (residual)
			y = v_add(y, FN(load_tail)(residual, i, n));
		FN(store_tail)(out, i, n, y);
	}
}

static void FN(logits)(float *x, const float *bias, float scale, float softcap, int n)
{
	if (!bias && scale == 1.0f && softcap == 0.0f)
		return;
	for (int i = 0; i < n; i += LANES) {
		vf y = FN(load_tail)(x, i, n);
		if (bias)
			y = v_add(y, FN(load_tail)(bias, i, n));
		y = v_mul(y, v_set1(scale));
		if (softcap > 0.0f)
			y = v_softcap(y, softcap);
		FN(store_tail)(x, i, n, y);
	}
}

static void FN(add)(float *out, const float *a, const float *b, int n)
{
	for (int i = 0; i < n; i++)
		out[i] = a[i] + b[i];
}

static void FN(scale)(float *x, float by, int n)
{
	for (int i = 0; i < n; i++)
		x[i] *= by;
}

/* Two products and a sum, each rounded: gcc forms no fma under -std=c11, so every set agrees. */
static void FN(rope)(float *head, const float *cosine, const float *sine, int dim, int style)
{
	int half = dim / 2, step = style == ROPE_ADJACENT ? 2 : 1;
	float *second = head + (style == ROPE_ADJACENT ? 1 : half);
	for (int i = 0; i < half; i++) {
		float a = head[i * step], b = second[i * step];
		head[i * step] = a * cosine[i] - b * sine[i];
		second[i * step] = a * sine[i] + b * cosine[i];
	}
}

#define ROW_KERNELS \
	{ \
		.norm = FN(norm), .epilogue = FN(epilogue), .logits = FN(logits), .add = FN(add), .scale = FN(scale), \
		.rope = FN(rope), \
	}
