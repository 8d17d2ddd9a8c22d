/* sample_body.h owns the vector passes over a row of logits. */

/* load_logits gives 16 logits; NaN and absent ones become -inf. */
INLINE vf FN(load_logits)(const float *x, int i, int n)
{
	vf v = n - i >= LANES ? v_load(x + i) : v_load_n(x + i, n - i, -INFINITY);
	return v_select(v_isnan(v), v_set1(-INFINITY), v);
}

static float FN(peak)(const float *x, int n)
{
	vf peak = v_set1(-INFINITY);
	for (int i = 0; i < n; i += LANES)
		peak = v_max(FN(load_logits)(x, i, n), peak);
	return v_highest(peak);
}

static float FN(sum_exp)(const float *x, int n, float peak)
{
	vf sum = v_zero();
	int i = 0;
	for (; i + EXP_VECTORS * LANES <= n; i += EXP_VECTORS * LANES) { /* logits are looked at for each token of an answer */
		vf e[EXP_VECTORS];
		for (int v = 0; v < EXP_VECTORS; v++)
			e[v] = v_sub(FN(load_logits)(x, i + v * LANES, n), v_set1(peak));
		v_exp_below(e, EXP_VECTORS);
		for (int v = 0; v < EXP_VECTORS; v++)
			sum = v_add(sum, e[v]);
	}
	for (; i < n; i += LANES)
		sum = v_add(sum, v_exp(v_sub(FN(load_logits)(x, i, n), v_set1(peak))));
	return v_sum(sum);
}

/* Sixteen at a time: a vector with nothing at or above value can't hold it. */
static int FN(first_at)(const float *x, int n, float value)
{
	for (int i = 0; i < n; i += LANES) {
		vf v = FN(load_logits)(x, i, n);
		if (!v_any(v_lt(v_neg(v), v_set1(nextafterf(-value, INFINITY)))) && value > -INFINITY)
			continue;
		for (int j = i; j < n && j < i + LANES; j++)
			if (x[j] == value || (value == -INFINITY && x[j] != x[j]))
				return j;
	}
	return -1;
}

static int FN(count_above)(const float *x, int n, float value)
{
	vi count = vi_zero();
	int32_t lanes[LANES];
	int sum = 0;
	for (int i = 0; i < n; i += LANES) {
		vm above = v_lt(v_set1(value), FN(load_logits)(x, i, n));
		count = vi_add(count, v_bits(v_select(above, v_float(vi_set1(1)), v_zero())));
	}
	vi_store(lanes, count);
	for (int i = 0; i < LANES; i++)
		sum += lanes[i];
	return sum;
}

/* The k largest so far stay sorted; ids ascend, so an equal value never displaces an earlier one. */
static void FN(top)(const float *x, int n, int k, struct top_token *out)
{
	int held = 0;
	for (int i = 0; i < n; i += LANES) {
		float values[LANES];
		vf v = FN(load_logits)(x, i, n);
		if (held == k && !v_any(v_lt(v_set1(out[k - 1].logit), v)))
			continue;
		v_store(values, v);
		for (int j = 0; j < LANES && i + j < n; j++) {
			int at = held;
			if (held == k && !(values[j] > out[k - 1].logit))
				continue;
			at = held < k ? held++ : k - 1;
			for (; at > 0 && values[j] > out[at - 1].logit; at--)
				out[at] = out[at - 1];
			out[at] = (struct top_token){i + j, values[j]};
		}
	}
}

/* The difference of a float and itself is NaN if it is not finite, else 0, and a sum keeps it. */
static int FN(finite)(const float *x, int n)
{
	vf sum = v_zero();
	for (int i = 0; i < n; i += LANES) {
		vf v = n - i >= LANES ? v_load(x + i) : v_load_n(x + i, n - i, 0.0f);
		sum = v_add(sum, v_sub(v, v));
	}
	return !v_any(v_isnan(sum));
}

static void FN(weights)(float *x, int n, float peak, float temperature)
{
	for (int i = 0; i < n; i += LANES) {
		vf v = v_sub(FN(load_logits)(x, i, n), v_set1(peak));
		v = v_exp(v_div(v, v_set1(temperature)));
		v_store_n(x + i, v, n - i < LANES ? n - i : LANES);
	}
}

#define SAMPLE_KERNELS \
	{ \
		.peak = FN(peak), .sum_exp = FN(sum_exp), .first_at = FN(first_at), .count_above = FN(count_above), \
		.top = FN(top), .weights = FN(weights), .finite = FN(finite), \
	}
