/* vmath_body.h owns the transcendental functions on vectors. libm picks its variant by CPU, so its
 * last bits differ between machines; these do not. Errors are stated in units in the last place and
 * held by cgotest/vmath_test.go. */

/* v_exp: e^x within 2 ulp. Above 88.72 it gives inf, below -103.97 zero, NaN for NaN. Range reduction by
 * ln 2 in two parts, then a polynomial of degree 6 (minimax, coefficients as in Cephes' expf, Moshier
 * 1992); 2^n is applied in two factors so that subnormal results round once. */
INLINE vf v_exp(vf x)
{
	vf n = v_round(v_mul(x, v_set1(1.44269504088896341f)));
	n = v_min(v_max(n, v_set1(-151.0f)), v_set1(129.0f));
	vf r = v_fma(n, v_set1(-0.693359375f), x);
	r = v_fma(n, v_set1(2.12194440e-4f), r);
	vf p = v_set1(1.9875691500e-4f);
	p = v_fma(p, r, v_set1(1.3981999507e-3f));
	p = v_fma(p, r, v_set1(8.3334519073e-3f));
	p = v_fma(p, r, v_set1(4.1665795894e-2f));
	p = v_fma(p, r, v_set1(1.6666665459e-1f));
	p = v_fma(p, r, v_set1(5.0000001201e-1f));
	p = v_add(v_fma(p, v_mul(r, r), r), v_set1(1.0f));
	vi half = vi_sar(v_to_int(n), 1), rest = vi_sub(v_to_int(n), half);
	vf scaled = v_mul(p, v_float(vi_shl(vi_add(half, vi_set1(127)), 23)));
	scaled = v_mul(scaled, v_float(vi_shl(vi_add(rest, vi_set1(127)), 23)));
	scaled = v_select(v_lt(v_set1(88.7228394f), x), v_set1(INFINITY), scaled);
	scaled = v_select(v_lt(x, v_set1(-103.972084f)), v_zero(), scaled);
	return v_select(v_isnan(x), x, scaled);
}

INLINE vf v_copysign(vf magnitude, vf sign)
{
	vi top = vi_and(v_bits(sign), vi_set1(INT32_MIN));
	return v_float(vi_or(vi_and(v_bits(magnitude), vi_set1(0x7fffffff)), top));
}

/* v_tanh: within 3 ulp. An odd polynomial below 0.625 (Cephes' tanhf), 1 - 2/(e^2x + 1) above. */
INLINE vf v_tanh(vf x)
{
	vf a = v_abs(x), z = v_mul(x, x);
	vf p = v_set1(-5.70498872745e-3f);
	p = v_fma(p, z, v_set1(2.06390887954e-2f));
	p = v_fma(p, z, v_set1(-5.37397155531e-2f));
	p = v_fma(p, z, v_set1(1.33314422036e-1f));
	p = v_fma(p, z, v_set1(-3.33332819422e-1f));
	vf small = v_fma(v_mul(p, z), x, x);
	vf e = v_exp(v_add(a, a));
	vf large = v_sub(v_set1(1.0f), v_div(v_set1(2.0f), v_add(e, v_set1(1.0f))));
	vf r = v_select(v_lt(a, v_set1(0.625f)), small, v_copysign(large, x));
	return v_select(v_isnan(x), x, r);
}

/* v_erf: within 2 ulp. x + x*p(x^2) below 0.9277, 1 - e^q(|x|) above; minimax polynomials after
 * N. Juffa's published single-precision erf. */
INLINE vf v_erf(vf x)
{
	vf t = v_abs(x), s = v_mul(x, x);
	vf q = v_fma(v_set1(-1.72853470e-5f), t, v_set1(3.83197126e-4f));
	vf u = v_fma(v_set1(-3.88396438e-3f), t, v_set1(2.42546219e-2f));
	q = v_fma(q, s, u);
	q = v_fma(q, t, v_set1(-1.06777877e-1f));
	q = v_fma(q, t, v_set1(-6.34846687e-1f));
	q = v_fma(q, t, v_set1(-1.28717512e-1f));
	q = v_fma(q, t, v_neg(t));
	vf large = v_copysign(v_sub(v_set1(1.0f), v_exp(q)), x);
	large = v_select(v_lt(v_set1(4.0f), t), v_copysign(v_set1(1.0f), x), large);
	vf p = v_set1(-5.96761703e-4f);
	p = v_fma(p, s, v_set1(4.99119423e-3f));
	p = v_fma(p, s, v_set1(-2.67681349e-2f));
	p = v_fma(p, s, v_set1(1.12819925e-1f));
	p = v_fma(p, s, v_set1(-3.76125336e-1f));
	p = v_fma(p, s, v_set1(1.28379166e-1f));
	vf r = v_select(v_lt(v_set1(0.927734375f), t), large, v_fma(p, x, x));
	return v_select(v_isnan(x), x, r);
}

INLINE vf v_silu(vf x) { return v_div(x, v_add(v_set1(1.0f), v_exp(v_neg(x)))); }

/* v_gelu_tanh: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). */
INLINE vf v_gelu_tanh(vf x)
{
	vf cube = v_mul(v_mul(x, x), x);
	vf inner = v_mul(v_set1(0.797884560802865356f), v_fma(v_set1(0.044715f), cube, x));
	return v_mul(v_mul(v_set1(0.5f), x), v_add(v_set1(1.0f), v_tanh(inner)));
}

/* v_gelu: 0.5 x (1 + erf(x / sqrt 2)). */
INLINE vf v_gelu(vf x)
{
	vf e = v_erf(v_mul(x, v_set1(0.707106781186547524f)));
	return v_mul(v_mul(v_set1(0.5f), x), v_add(v_set1(1.0f), e));
}

INLINE vf v_activate(vf x, int activation)
{
	switch (activation) {
	case ACT_SILU:
		return v_silu(x);
	case ACT_GELU_TANH:
		return v_gelu_tanh(x);
	case ACT_GELU:
		return v_gelu(x);
	default:
		return x;
	}
}

/* v_softcap: c tanh(x / c). */
INLINE vf v_softcap(vf x, float c) { return v_mul(v_tanh(v_div(x, v_set1(c))), v_set1(c)); }
