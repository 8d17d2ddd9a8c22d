/* packed_body.h owns the reading of packed blocks (form.h): codes of sixteen rows as bytes, their scales and minimums.
 */

/* load_bytes is step k of a packed block: four values of each lane. */
INLINE vi FN(load_bytes)(const struct form f, const uint8_t *q, const int k)
{
	const int each = 8 / f.low, mask = ((1 << f.low) - 1) * 0x01010101;
	vi w = vi_load((const int32_t *)(q + k / each * 64));
	if (k % each)
		w = vi_shr(w, k % each * f.low);
	if (f.low < 8)
		w = vi_and(w, vi_set1(mask));
	if (f.high) {
		const int steps = 8 / f.high, from = k % steps * f.high;
		vi p = vi_load((const int32_t *)(q + f.low * 64 + k / steps * 64));
		p = from > f.low ? vi_shr(p, from > f.low ? from - f.low : 0)
		                 : vi_shl(p, from > f.low ? 0 : f.low - from);
		w = vi_or(w, vi_and(p, vi_set1((((1 << f.high) - 1) << f.low) * 0x01010101)));
	}
	if (f.table)
		w = FN(through)(f.table == TABLE_IQ4 ? FN(iq4) : FN(mxfp4), w);
	if (f.low == 8 && FN(signed_centre))
		w = vi_xor(w, vi_set1((int32_t)0x80808080));
	return w;
}

/* What a super-block's blocks share, which begins at `shared`: d, and what their minimums are multiplied with. */
INLINE vf FN(shared_scale)(const struct form f, const uint8_t *shared)
{
	return f.super > 1 ? v_load_f16((const uint16_t *)shared) : v_zero();
}

INLINE vf FN(shared_minimum)(const struct form f, const uint8_t *shared)
{
	return f.super > 1 && f.minimum ? v_neg(v_load_f16((const uint16_t *)shared + GROUP)) : v_zero();
}

/* The scales and minimums of half h of a packed block; d and least are what its super-block shares. */
INLINE vf FN(block_scale)(const struct form f, const uint8_t *block, vf d, const int h)
{
	if (f.scale == SCALE_HALF)
		return v_load_f16((const uint16_t *)block);
	if (f.scale == SCALE_POWER) {
		vi e = vi_load_u8(block);
		vf halved = v_mul(v_float(vi_shl(e, 23)), v_set1(0.5f)); /* exact, but for e of 0 */
		return v_select(v_lt(v_from_int(e), v_set1(1.0f)), v_set1(0x1p-128f), halved);
	}
	if (f.scale == SCALE_NIBBLE)
		return v_mul(d, v_from_int(vi_and(vi_load_u8(block + h * GROUP), vi_set1(15))));
	return v_mul(d, v_load_i8((const int8_t *)block + h * GROUP));
}

INLINE vf FN(block_minimum)(const struct form f, const uint8_t *block, vf least, const int h)
{
	if (f.minimum == MINIMUM_CENTRE)
		return v_mul(v_load_f16((const uint16_t *)block), v_set1(-8.0f));
	if (f.minimum == MINIMUM_HALF)
		return v_load_f16((const uint16_t *)(block + form_scales(f)));
	vi m = f.minimum == MINIMUM_BYTE ? vi_load_u8(block + form_scales(f))
	                                 : vi_shr(vi_load_u8(block + h * GROUP), 4);
	return v_mul(least, v_from_int(m));
}

/* block_at is block b of a packed group. */
INLINE const uint8_t *FN(block_at)(const struct form f, const uint8_t *group, int b)
{
	return group + b / f.super * form_super(f) + form_shared(f) + b % f.super * form_block(f);
}

INLINE const uint8_t *FN(shared_at)(const struct form f, const uint8_t *group, int b)
{
	return group + b / f.super * form_super(f);
}

/* ask brings weights into L1 that are read later: the processor's own prefetching ends with each page of memory. */
INLINE void FN(ask)(const uint8_t *at, const int bytes)
{
	UNROLL
	for (int i = 0; i < bytes; i += 64)
		__builtin_prefetch(at + i);
}
