/* exp_body.h owns the exponential of what is not above zero, which softmax takes of every score. */

enum { EXP_VECTORS = 4 };

/* v_scale2 is a 2^n for whole n from -150 to 0, rounded once; a NaN stays. */
INLINE vf v_scale2(vf a, vf n)
{
#ifdef ISA_AVX512
	return _mm512_scalef_ps(a, n);
#else /* 2^(n + 64), then 2^-64: the last alone rounds */
	vf factor = v_float(vi_shl(vi_add(v_to_int(n), vi_set1(127 + 64)), 23));
	return v_mul(v_mul(a, factor), v_set1(5.42101086242752217e-20f));
#endif
}

/* v_exp_below is v_exp, to the bit, of n vectors of x <= 0 or NaN, in half the work: e^-104 is zero like all below it,
 * so that x alone is held back (v_max gives its second where one is NaN), and 2^n is one operation, or two products
 * that keep a NaN and never overflow. The steps of all vectors alternate, since each is one long chain. */
INLINE void v_exp_below(vf *x, const int n)
{
	static const float horner[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f,
	                               5.0000001201e-1f};
	vf whole[EXP_VECTORS], r[EXP_VECTORS], p[EXP_VECTORS];
	for (int i = 0; i < n; i++)
		x[i] = v_max(v_set1(-104.0f), x[i]);
	for (int i = 0; i < n; i++)
		whole[i] = v_round(v_mul(x[i], v_set1(1.44269504088896341f)));
	for (int i = 0; i < n; i++)
		r[i] = v_fma(whole[i], v_set1(-0.693359375f), x[i]);
	for (int i = 0; i < n; i++)
		r[i] = v_fma(whole[i], v_set1(2.12194440e-4f), r[i]);
	for (int i = 0; i < n; i++)
		p[i] = v_set1(1.9875691500e-4f);
	for (int k = 0; k < 5; k++)
		for (int i = 0; i < n; i++)
			p[i] = v_fma(p[i], r[i], v_set1(horner[k]));
	for (int i = 0; i < n; i++)
		p[i] = v_add(v_fma(p[i], v_mul(r[i], r[i]), r[i]), v_set1(1.0f));
	for (int i = 0; i < n; i++)
		x[i] = v_scale2(p[i], whole[i]);
}
