/* page_body.h owns how pages of KV are read and written, whatever the type: one load for a vector of K or V, what
 * unpacks a page to floats for all the queries that share it, and store. */

/* load_k is element d of the 16 positions of a page. */
INLINE vf FN(load_k)(const struct kv_layout *l, const uint8_t *page, int d, const int type)
{
	if (type == KV_F32)
		return v_load((const float *)page + (int64_t)d * PAGE_TOKENS);
	if (type == KV_F16)
		return v_load_f16((const uint16_t *)page + (int64_t)d * PAGE_TOKENS);
	const uint16_t *scale = (const uint16_t *)(page + l->k_scales);
	return v_mul(v_load_f16(scale + d / BLOCK * PAGE_TOKENS),
	             v_load_i8((const int8_t *)page + (int64_t)d * PAGE_TOKENS));
}

/* load_v is elements d to d+15 of V at one position; v is where V begins in a page. */
INLINE vf FN(load_v)(const struct kv_layout *l, const uint8_t *v, int slot, int d, const int type)
{
	int64_t at = (int64_t)slot * l->value_pad + d;
	if (type == KV_F32)
		return v_load((const float *)v + at);
	if (type == KV_F16)
		return v_load_f16((const uint16_t *)v + at);
	uint16_t scale = ((const uint16_t *)(v + (l->v_scales - l->v)))[slot * l->value_blocks + d / BLOCK];
	return v_mul(v_set1(half_to_float(scale)), v_load_i8((const int8_t *)v + at));
}

/* unpack_k writes a page's K as floats, in its order: (key_width, 16). */
INLINE void FN(unpack_k_of)(const struct kv_layout *l, const uint8_t *page, float *k, const int type)
{
	for (int d = 0; d < l->key_width; d++)
		v_store(k + (int64_t)d * LANES, FN(load_k)(l, page, d, type));
}

static void FN(unpack_k)(const struct kv_layout *l, const uint8_t *page, float *k)
{
	switch (l->type) {
	case KV_F32:
		FN(unpack_k_of)(l, page, k, KV_F32);
		break;
	case KV_F16:
		FN(unpack_k_of)(l, page, k, KV_F16);
		break;
	default:
		FN(unpack_k_of)(l, page, k, KV_Q8_0);
	}
}

/* unpack_latent_v writes elements of V, the end of K, which lies transposed. */
INLINE void FN(unpack_latent_v)(const struct kv_layout *l, const uint8_t *page, float *v, const int type)
{
	int first = l->key_width - l->value_width;
	for (int d = 0; d < l->value_pad; d++) {
		float element[PAGE_TOKENS]; /* beyond V's width: nobody reads it, but it is computed with */
		v_store(element, d < l->value_width ? FN(load_k)(l, page, first + d, type) : v_zero());
		for (int slot = 0; slot < PAGE_TOKENS; slot++)
			v[slot * l->value_pad + d] = element[slot];
	}
}

/* unpack_v writes a page's V as floats, (16, value_pad). */
INLINE void FN(unpack_v_of)(const struct kv_layout *l, const uint8_t *page, float *v, const int type)
{
	if (l->latent) {
		FN(unpack_latent_v)(l, page, v, type);
		return;
	}
	for (int slot = 0; slot < PAGE_TOKENS; slot++, v += l->value_pad)
		for (int d = 0; d < l->value_pad; d += LANES)
			v_store(v + d, FN(load_v)(l, page + l->v, slot, d, type));
}

static void FN(unpack_v)(const struct kv_layout *l, const uint8_t *page, float *v)
{
	switch (l->type) {
	case KV_F32:
		FN(unpack_v_of)(l, page, v, KV_F32);
		break;
	case KV_F16:
		FN(unpack_v_of)(l, page, v, KV_F16);
		break;
	default:
		FN(unpack_v_of)(l, page, v, KV_Q8_0);
	}
}

INLINE void FN(round_head)(const float *x, int n, int8_t *q, int q_step, uint16_t *scale, int s_step)
{
	for (int b = 0; b * BLOCK < n; b++)
		kv_round_block(x + b * BLOCK, n - b * BLOCK < BLOCK ? n - b * BLOCK : BLOCK,
		               q + (int64_t)b * BLOCK * q_step, q_step, scale + (int64_t)b * s_step);
}

INLINE void FN(store_k)(const struct kv_layout *l, uint8_t *head, int slot, const float *k)
{
	int n = l->key_width;
	if (l->type == KV_Q8_0) {
		uint16_t *scales = (uint16_t *)(head + l->k_scales) + slot;
		FN(round_head)(k, n, (int8_t *)head + slot, PAGE_TOKENS, scales, PAGE_TOKENS);
	} else if (l->type == KV_F32) {
		for (int d = 0; d < n; d++)
			((float *)head)[d * PAGE_TOKENS + slot] = k[d];
	} else {
		for (int d = 0; d < n; d += LANES) {
			uint16_t h[LANES];
			int m = n - d < LANES ? n - d : LANES;
			v_store_f16(h, v_load_n(k + d, m, 0.0f));
			for (int i = 0; i < m; i++)
				((uint16_t *)head)[(d + i) * PAGE_TOKENS + slot] = h[i];
		}
	}
}

INLINE void FN(store_v)(const struct kv_layout *l, uint8_t *head, int slot, const float *v)
{
	int n = l->value_width;
	int64_t at = (int64_t)slot * l->value_pad;
	if (l->type == KV_Q8_0) {
		uint16_t *scales = (uint16_t *)(head + l->v_scales) + slot * l->value_blocks;
		FN(round_head)(v, n, (int8_t *)(head + l->v) + at, 1, scales, 1);
	} else if (l->type == KV_F32) {
		memcpy((float *)(head + l->v) + at, v, (size_t)n * sizeof *v);
	} else {
		for (int d = 0; d < n; d += LANES) {
			uint16_t h[LANES];
			int m = n - d < LANES ? n - d : LANES;
			v_store_f16(h, v_load_n(v + d, m, 0.0f));
			memcpy((uint16_t *)(head + l->v) + at + d, h, (size_t)m * 2);
		}
	}
}

static void FN(store)(const struct kv_layout *l, uint8_t *head, int slot, const float *k, const float *v)
{
	FN(store_k)(l, head, slot, k);
	if (v)
		FN(store_v)(l, head, slot, v);
}
