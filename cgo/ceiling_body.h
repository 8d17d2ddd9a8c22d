/* ceiling_body.h owns the loops that do nothing but read, and nothing but multiply. */

enum { CEILING_ROWS = 2 }; /* of weights and of inputs: their sums and they themselves stay in AVX2's registers */

/* kept has the compiler make a value whose bits nobody wants. */
INLINE void FN(kept)(vi x)
{
	volatile int32_t total = vi_total(x);
	(void)total;
}

static void FN(ceiling_read)(const uint8_t *bytes, int64_t count)
{
	vi sum[4] = {vi_zero(), vi_zero(), vi_zero(), vi_zero()};
	for (; count >= 256; bytes += 256, count -= 256)
		for (int i = 0; i < 4; i++)
			sum[i] = vi_xor(sum[i], vi_load((const int32_t *)(bytes + 64 * i)));
	FN(kept)(vi_xor(vi_xor(sum[0], sum[1]), vi_xor(sum[2], sum[3])));
}

/* As in a tile of products, each vector of weights meets several of inputs. All are ones, so no sum overflows. */
static void FN(ceiling_multiply)(int64_t macs)
{
#ifdef ISA_AVX512
	enum { ROWS = 2 * CEILING_ROWS }; /* sixteen sums: a product's latency is hidden */
#else
	enum { ROWS = CEILING_ROWS };
#endif
	static const int32_t ones[LANES * ROWS] = {[0 ... LANES * ROWS - 1] = 0x01010101};
	vi x[ROWS], sum[ROWS][ROWS];
	for (int i = 0; i < ROWS; i++) {
		x[i] = vi_load(ones + LANES * i);
		for (int j = 0; j < ROWS; j++)
			sum[i][j] = FN(begin)(vi_zero());
	}
	const int32_t *w = ones;
	for (int64_t n = macs / (4 * LANES * ROWS * ROWS); n > 0; n--) {
		__asm__("" : "+r"(w)); /* read anew, as if it were another's */
		for (int i = 0; i < ROWS; i++) {
			vi row = vi_load(w + LANES * i);
			for (int j = 0; j < ROWS; j++)
				sum[i][j] = FN(dot)(sum[i][j], row, x[j]);
		}
	}
	for (int i = 1; i < ROWS * ROWS; i++)
		sum[0][0] = vi_xor(sum[0][0], sum[i / ROWS][i % ROWS]);
	FN(kept)(sum[0][0]);
}

#define CEILING_KERNELS \
	{ \
		FN(ceiling_read), FN(ceiling_multiply) \
	}
