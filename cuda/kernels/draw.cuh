/* draw.cuh owns the draw of a token from weights by one thread block: sums, cuts and the sort, as cgo/sample.c. */
#ifndef CHIMERA_DRAW_CUH
#define CHIMERA_DRAW_CUH
#include "sample.cuh"

/* Weights in some order: of places in list, or of ids where it is NULL. */
struct weights {
	const float *w; /* (vocab) */
	const int32_t *list;
	int n;
	double *chunk; /* (n / DRAW_CHUNK + 1) sums of DRAW_CHUNK places */
};

static inline __device__ float weight_of(const struct weights *w, int place)
{
	return w->w[w->list ? w->list[place] : place];
}

static inline __device__ double chunk_sum(const struct weights *w, int from, int to)
{
	double sum = 0.0;
	for (int i = from; i < to; i++)
		sum += weight_of(w, i);
	return sum;
}

/* sum_chunks: a thread per chunk, so each is summed in order. */
static inline __device__ void sum_chunks(const struct weights *w)
{
	for (int c = threadIdx.x; c * DRAW_CHUNK < w->n; c += SAMPLE_THREADS)
		w->chunk[c] = chunk_sum(w, c * DRAW_CHUNK, min(w->n, (c + 1) * DRAW_CHUNK));
	__syncthreads();
}

/* mass_of is the sum of places [0, n): chunks in order, and what is left. */
static inline __device__ double mass_of(struct sampler *s, const struct weights *w, int n)
{
	if (threadIdx.x == 0) {
		int full = n / DRAW_CHUNK;
		double sum = 0.0;
		for (int c = 0; c < full; c++)
			sum += w->chunk[c];
		s->total = full * DRAW_CHUNK < n ? sum + chunk_sum(w, full * DRAW_CHUNK, n) : sum;
	}
	__syncthreads();
	double total = s->total;
	__syncthreads();
	return total;
}

/* Where a walk along the running sum ends. */
enum stop { PASSES, REACHES };

static inline __device__ bool stops(enum stop stop, double sum, double target)
{
	return stop == PASSES ? sum > target : !(sum < target);
}

/* walk is the first of n places whose running sum passes (or reaches) target, or n. Weights are not negative, so a
 * chunk whose last place stays below can be passed over. */
static inline __device__ int walk(const struct weights *w, int n, enum stop stop, double target)
{
	double before = 0.0;
	for (int first = 0; first < n; first += DRAW_CHUNK) {
		double sum = 0.0, whole = before + w->chunk[first / DRAW_CHUNK];
		if (!stops(stop, whole, target)) {
			before = whole;
			continue;
		}
		for (int i = first; i < min(n, first + DRAW_CHUNK); i++) {
			sum += weight_of(w, i);
			if (stops(stop, before + sum, target))
				return i;
		}
	}
	return n;
}

/* place_of lets thread 0 walk for all. */
static inline __device__ int place_of(struct sampler *s, const struct weights *w, int n, enum stop stop, double target)
{
	if (threadIdx.x == 0)
		s->place = walk(w, n, stop, target);
	__syncthreads();
	int place = s->place;
	__syncthreads();
	return place;
}

/* first_place is the lowest place that any thread names. */
static inline __device__ int first_place(struct sampler *s, int place)
{
	return INT32_MAX - (int)block_max((unsigned)(INT32_MAX - place), &s->word);
}

/* ---- cuts ---- */

/* smallest_class is what last_exponent of cgo/draw.h says of these weights. Masses are exact however they are summed:
 * whole numbers of one exponent. */
static inline __device__ int smallest_class(struct sampler *s, const struct weights *all, const struct output *o,
                                            double total)
{
	for (int e = threadIdx.x; e < EXPONENTS; e += SAMPLE_THREADS) {
		s->count[e] = 0;
		s->significands[e] = 0;
	}
	__syncthreads();
	for (int i = threadIdx.x; i < all->n; i += SAMPLE_THREADS) {
		float w = all->w[i];
		unsigned bits = __float_as_uint(w);
		if (!(w > 0.0f))
			continue;
		atomicAdd(&s->count[exponent_of(w)], 1);
		atomicAdd(&s->significands[exponent_of(w)],
		          (unsigned long long)((bits & 0x7fffff) | (bits >> 23 ? 0x800000 : 0)));
	}
	__syncthreads();
	for (int e = threadIdx.x; e < EXPONENTS;
	     e += SAMPLE_THREADS) /* the last class are subnormals, of exponent 126 */
		s->mass[e] = ldexp((double)s->significands[e], -min(e, EXPONENTS - 2) - 23);
	__syncthreads();
	return last_exponent(s->count, s->mass, o, total);
}

/* A thread's share of n places, so that threads in order are places in order. */
struct share {
	int from, to;
};

static inline __device__ struct share share_of(int n)
{
	int per = (n + SAMPLE_THREADS - 1) / SAMPLE_THREADS;
	struct share s = {min(n, (int)threadIdx.x * per), min(n, ((int)threadIdx.x + 1) * per)};
	return s;
}

static inline __device__ bool may_survive(float w, int last) { return w > 0.0f && exponent_of(w) <= last; }

/* list_candidates lists the ids of weights in classes up to `last`, ascending, and returns how many. */
static inline __device__ int list_candidates(struct sampler *s, const struct weights *all, int last, int32_t *list)
{
	struct share mine = share_of(all->n);
	int n = 0, total;
	for (int i = mine.from; i < mine.to; i++)
		n += may_survive(all->w[i], last);
	int at = block_sum_before<SAMPLE_THREADS>(n, s->sums, &total);
	for (int i = mine.from; i < mine.to; i++)
		if (may_survive(all->w[i], last))
			list[at++] = i;
	__syncthreads();
	return total;
}

/* ---- the sort ---- */

/* Weights are positive, so their bits are in their order; complemented, the heaviest come first. */
static inline __device__ int digit_of(const float *w, int id, int shift)
{
	return (int)(~__float_as_uint(w[id]) >> shift & (DIGITS - 1));
}

/* offsets turns counts into where each thread puts its first of each digit: a sum over all counts before. */
static inline __device__ void offsets(struct sampler *s)
{
	int *mine = s->counts + threadIdx.x * DIGITS, sum = 0, total;
	for (int i = 0; i < DIGITS; i++)
		sum += mine[i];
	int before = block_sum_before<SAMPLE_THREADS>(sum, s->sums, &total);
	for (int i = 0; i < DIGITS; i++) {
		int count = mine[i];
		mine[i] = before;
		before += count;
	}
	__syncthreads();
}

static inline __device__ void sort_by_digit(struct sampler *s, const float *w, const int32_t *from, int32_t *to, int n,
                                            int shift)
{
	struct share mine = share_of(n);
	for (int d = 0; d < DIGITS; d++)
		s->counts[d * SAMPLE_THREADS + threadIdx.x] = 0;
	for (int i = mine.from; i < mine.to; i++)
		s->counts[digit_of(w, from[i], shift) * SAMPLE_THREADS + threadIdx.x]++;
	__syncthreads();
	offsets(s);
	for (int i = mine.from; i < mine.to; i++)
		to[s->counts[digit_of(w, from[i], shift) * SAMPLE_THREADS + threadIdx.x]++] = from[i];
	__syncthreads();
}

/* sort puts the heaviest first. Each pass keeps the order of equals, and ids ascend at first: ties stay with the
 * lower id. Eight passes, so the result is in `list` again; the time is linear in n. */
static inline __device__ void sort(struct sampler *s, const float *w, int32_t *list, int32_t *other, int n)
{
	for (int shift = 0; shift < 32; shift += 8) {
		sort_by_digit(s, w, list, other, n, shift);
		sort_by_digit(s, w, other, list, n, shift + 4);
	}
}

/* ---- the draw ---- */

/* draw_any draws from all weights, in order of ids; behind the last positive one nothing can be drawn. */
static inline __device__ int draw_any(struct sampler *s, const struct weights *all, double u)
{
	sum_chunks(all);
	int place = place_of(s, all, all->n, PASSES, u * mass_of(s, all, all->n)), last = 0;
	if (place < all->n)
		return place;
	for (int i = threadIdx.x; i < all->n; i += SAMPLE_THREADS)
		last = all->w[i] > 0.0f ? i : last;
	return (int)block_max((unsigned)last, &s->word);
}

/* keep is how many of the sorted candidates remain: top-p of `total`, then min-p. At least one stays. */
static inline __device__ int keep(struct sampler *s, const struct weights *c, const struct output *o, double total)
{
	int reached = place_of(s, c, c->n, REACHES, total * o->top_p), light = c->n;
	for (int i = threadIdx.x; i < c->n; i += SAMPLE_THREADS)
		if (!(weight_of(c, i) >= o->min_p * weight_of(c, 0)))
			light = min(light, i);
	light = first_place(s, light);
	return max(1, min(c->n, min(reached + 1, light)));
}

/* draw_cut draws from what top-k, then top-p by the mass of what top-k left, then min-p leave. */
static inline __device__ int draw_cut(struct sampler *s, const struct weights *all, const struct output *o, double u,
                                      int32_t *list, int32_t *other)
{
	sum_chunks(all);
	double total = mass_of(s, all, all->n);
	int last = smallest_class(s, all, o, total);
	struct weights c = {all->w, list, list_candidates(s, all, last, list), all->chunk};
	sort(s, c.w, list, other, c.n);
	bool cut = o->top_k > 0 && c.n >= o->top_k;
	if (cut)
		c.n = o->top_k;
	sum_chunks(&c);
	if (cut)
		total = mass_of(s, &c, c.n);
	int kept = keep(s, &c, o, total);
	int place = place_of(s, &c, kept, PASSES, u * mass_of(s, &c, kept));
	return list[min(place, kept - 1)];
}
#endif
