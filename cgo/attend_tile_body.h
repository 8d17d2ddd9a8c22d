/* attend_tile_body.h owns the two products of attention: queries by K, and weights by V. A tile is up to TILE_ROWS
 * queries by some vectors of K or V, each loaded once for all of them; its sums stay in registers, each in the order
 * that attend_body.h fixes, whatever the tile. */

/* clang-format off */
#if defined(ISA_AVX512)
enum { TILE_ROWS = 8, TILE_VECTORS = 4 };
#define EACH_TILE(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8)
/* Two fmas of four cycles want eight sums under way; 16 leave registers for what is loaded. */
#define VECTORS_OF(rows) ((rows) <= 4 ? 4 : 2)
#elif defined(ISA_AVX2)
enum { TILE_ROWS = 6, TILE_VECTORS = 4 };
#define EACH_TILE(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6)
/* Six rows of two ymm, two of K or V and one of a query are 15 of 16 registers; three rows of four would be 17. */
#define VECTORS_OF(rows) ((rows) == 1 ? 4 : (rows) == 2 ? 2 : 1)
#else
enum { TILE_ROWS = 2, TILE_VECTORS = 1 };
#define EACH_TILE(DO) DO(1) DO(2)
#define VECTORS_OF(rows) 1
#endif
/* clang-format on */

/* Queries by K of some pages: score[r][16 p + i] = scale q[r] . k[p][i]. */
struct FN(score_tile) {
	const struct kv_layout *kv;
	const uint8_t *const *page;  /* K of each */
	const uint8_t *const *ahead; /* fetched meanwhile, where K is read in place */
	int pages;
	const float *q; /* (rows, key_width) */
	float scale;
	float *score; /* rows SPLIT_TOKENS apart */
};

/* Pages lie too far apart for the processor to guess the next: each step asks for a line of one, of its K and V. */
INLINE void FN(score_pages)(const struct FN(score_tile) * t, int first, const int rows, const int pages, const int type)
{
	const uint8_t *page[TILE_VECTORS], *ahead[TILE_VECTORS];
	const float *q[TILE_ROWS];
	vf acc[TILE_ROWS][TILE_VECTORS];
	int64_t line = t->kv->head_bytes / t->kv->key_width;
	for (int p = 0; p < pages; p++) {
		page[p] = t->page[first + p];
		ahead[p] = t->ahead[first + p];
	}
	for (int r = 0; r < rows; r++) {
		q[r] = t->q + (int64_t)r * t->kv->key_width;
		for (int p = 0; p < pages; p++)
			acc[r][p] = v_zero();
	}
	for (int d = 0; d < t->kv->key_width; d++) {
		vf k[TILE_VECTORS];
		for (int p = 0; p < pages; p++) {
			k[p] = FN(load_k)(t->kv, page[p], d, type);
			if (type != KV_F32)
				__builtin_prefetch(ahead[p] + d * line);
		}
		for (int r = 0; r < rows; r++) {
			vf x = v_set1(q[r][d]);
			for (int p = 0; p < pages; p++)
				acc[r][p] = v_fma(x, k[p], acc[r][p]);
		}
	}
	for (int r = 0; r < rows; r++)
		for (int p = 0; p < pages; p++)
			v_store(t->score + r * SPLIT_TOKENS + (first + p) * PAGE_TOKENS,
			        v_mul(acc[r][p], v_set1(t->scale)));
}

INLINE void FN(score)(const struct FN(score_tile) * t, const int rows, const int type)
{
	int p = 0;
	for (; p + VECTORS_OF(rows) <= t->pages; p += VECTORS_OF(rows))
		FN(score_pages)(t, p, rows, VECTORS_OF(rows), type);
	for (; p < t->pages; p++)
		FN(score_pages)(t, p, rows, 1, type);
}

/* Weights by V of positions [from, to): out[r] += weight[r][i] v[i], i ascending. */
struct FN(sum_tile) {
	const struct kv_layout *kv;
	const uint8_t *const *page; /* V of each; positions count from the first */
	int from, to;
	const float *weight; /* of the first page's first position; rows SPLIT_TOKENS apart */
	float *out;          /* (rows, value_pad) */
};

INLINE void FN(sum_vectors)(const struct FN(sum_tile) * t, int d, const int rows, const int vectors, const int type)
{
	int pad = t->kv->value_pad;
	vf acc[TILE_ROWS][TILE_VECTORS];
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < vectors; c++)
			acc[r][c] = v_load(t->out + (int64_t)r * pad + d + c * LANES);
	for (int at = t->from; at < t->to;) {
		const uint8_t *page = t->page[at / PAGE_TOKENS];
		int slot = at % PAGE_TOKENS, n = PAGE_TOKENS - slot < t->to - at ? PAGE_TOKENS - slot : t->to - at;
		for (int end = at + n; at < end; at++, slot++) {
			vf v[TILE_VECTORS];
			for (int c = 0; c < vectors; c++)
				v[c] = FN(load_v)(t->kv, page, slot, d + c * LANES, type);
			for (int r = 0; r < rows; r++) {
				vf weight = v_set1(t->weight[r * SPLIT_TOKENS + at]);
				for (int c = 0; c < vectors; c++)
					acc[r][c] = v_fma(weight, v[c], acc[r][c]);
			}
		}
	}
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < vectors; c++)
			v_store(t->out + (int64_t)r * pad + d + c * LANES, acc[r][c]);
}

INLINE void FN(sum)(const struct FN(sum_tile) * t, const int rows, const int type)
{
	int d = 0, pad = t->kv->value_pad;
	for (; d + VECTORS_OF(rows) * LANES <= pad; d += VECTORS_OF(rows) * LANES)
		FN(sum_vectors)(t, d, rows, VECTORS_OF(rows), type);
	for (; d < pad; d += LANES)
		FN(sum_vectors)(t, d, rows, 1, type);
}

/* Each number of rows by each type is a function of its own, whose sums are registers. */
/* clang-format off */
#define TILE_OF_TYPE(rows, type) \
	static void FN(score_##type##_##rows)(const struct FN(score_tile) * t) { FN(score)(t, rows, type); } \
	static void FN(sum_##type##_##rows)(const struct FN(sum_tile) * t) { FN(sum)(t, rows, type); }
#define TILE(rows) TILE_OF_TYPE(rows, KV_F32) TILE_OF_TYPE(rows, KV_F16) TILE_OF_TYPE(rows, KV_Q8_0)
EACH_TILE(TILE)

#define SCORE_OF(rows) {FN(score_KV_F32_##rows), FN(score_KV_F16_##rows), FN(score_KV_Q8_0_##rows)},
#define SUM_OF(rows) {FN(sum_KV_F32_##rows), FN(sum_KV_F16_##rows), FN(sum_KV_Q8_0_##rows)},
/* clang-format on */

typedef void FN(score_function)(const struct FN(score_tile) *);
typedef void FN(sum_function)(const struct FN(sum_tile) *);

/* By rows - 1 and enum kv_type. */
static FN(score_function) *const FN(score_tiles)[TILE_ROWS][3] = {EACH_TILE(SCORE_OF)};
static FN(sum_function) *const FN(sum_tiles)[TILE_ROWS][3] = {EACH_TILE(SUM_OF)};
