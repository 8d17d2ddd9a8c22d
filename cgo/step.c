/* step.c owns the step: every worker walks the phases, claims chunks of each and meets the others at
 * its end, where a step that is to give way ends for all of them. It may go on from there: each chunk is computed once.
 *
 * A phase of few rows is a chunk for one worker, which takes about as long as to meet. The last at a barrier runs such
 * phases before it lets the others go: a decoding step meets five times a layer, not ten. */
#include "step.h"
#include <time.h>

static const struct runner *const runners[] = {
        [PHASE_ROPE_TABLE] = &rope_runner,   [PHASE_EMBED] = &embed_runner,     [PHASE_NORM] = &norm_runner,
        [PHASE_QUANTISE] = &quantise_runner, [PHASE_LINEARS] = &linears_runner, [PHASE_STORE] = &store_runner,
        [PHASE_ATTEND] = &attend_runner,     [PHASE_ADD] = &add_runner,         [PHASE_ROWS] = &rows_runner,
        [PHASE_TAP] = &tap_runner,           [PHASE_HEAD] = &head_runner,
};

struct walk {
	struct run run;
	const struct plan *plan;
	struct place from, left; /* where the run begins, and where it gave way; worker 0 writes that */
	/* Of whoever is last at a barrier; the others have read it before they arrive at the next. */
	int32_t phase;   /* under way */
	int64_t rows_ns; /* what the phases took that it ran alone, if anybody asks; worker 0 takes it away */
};

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void run_row_chunk(const struct run *r, const struct phase *p, const struct runner *k, int chunk, int worker)
{
	int end = min_int((chunk + 1) * ROW_CHUNK, k->rows(r, p));
	for (int row = chunk * ROW_CHUNK; row < end; row++)
		k->row(r, p, row, worker);
}

/* is_shared tells whether a phase has work for several workers; one without rounds has none for anybody. */
static int is_shared(const struct run *r, const struct phase *p, const struct runner *k)
{
	if (k->row)
		return k->rows(r, p) > ROW_CHUNK;
	return !k->rounds || k->rounds(r, p) > 0;
}

/* go_on moves on to the next phase that is shared, and runs those before it. */
static void go_on(void *arg, int worker)
{
	struct walk *w = arg;
	const struct run *r = &w->run;
	int64_t *phase_ns = r->in->phase_ns, began = phase_ns ? now() : 0;
	while (++w->phase < w->plan->count) {
		const struct phase *p = &w->plan->phases[w->phase];
		const struct runner *k = runners[p->kind];
		if (is_shared(r, p, k))
			return;
		if (k->row)
			run_row_chunk(r, p, k, 0, worker);
		if (phase_ns) {
			int64_t took = now() - began;
			phase_ns[w->phase] += took;
			w->rows_ns += took;
			began += took;
		}
	}
}

/* run_rows and run_rounds run a phase from a round on and tell whether the step gives way, in which. */
static int run_rows(const struct run *r, const struct phase *p, const struct runner *k, int worker, int *round)
{
	int chunks = ceil_div(k->rows(r, p), ROW_CHUNK), chunk;
	while ((chunk = pool_claim(r->in->pool)) < chunks)
		run_row_chunk(r, p, k, chunk, worker);
	return pool_barrier(r->in->pool, go_on, worker);
}

static int run_rounds(const struct run *r, const struct phase *p, const struct runner *k, int worker, int *round)
{
	int rounds = k->rounds ? k->rounds(r, p) : 1;
	for (; *round < rounds; ++*round) {
		int chunks = k->chunks(r, p, *round), chunk;
		while ((chunk = pool_claim(r->in->pool)) < chunks)
			k->chunk(r, p, *round, chunk, worker);
		if (pool_barrier(r->in->pool, *round == rounds - 1 ? go_on : NULL, worker))
			return 1;
	}
	return 0;
}

/* lap adds the time since the last one to a phase, which ends at its barrier, less what others took behind it. */
static void lap(struct walk *w, int64_t *phase_ns, int64_t *last)
{
	int64_t at = now();
	*phase_ns += at - *last - w->rows_ns;
	w->rows_ns = 0;
	*last = at;
}

static void walk(void *arg, int worker)
{
	struct walk *w = arg;
	int round = w->from.round;
	int64_t *phase_ns = worker == 0 ? w->run.in->phase_ns : NULL, last = phase_ns ? now() : 0;
	for (int i = w->from.phase; i < w->plan->count; i = w->phase, round = 0) {
		const struct phase *p = &w->plan->phases[i];
		const struct runner *k = runners[p->kind];
		if ((k->row ? run_rows : run_rounds)(&w->run, p, k, worker, &round)) {
			if (worker == 0)
				w->left = (struct place){.phase = i, .round = round};
			return;
		}
		if (phase_ns)
			lap(w, &phase_ns[i], &last);
	}
}

/* plan_batch lists the attention tiles and where whole rows go. */
static void plan_batch(struct instance *in, const struct batch *b)
{
	int n = 0, rows = 0;
	for (int s = 0; s < b->sequence_count; s++)
		for (int t = 0; t < b->sequences[s].token_count; t += QUERY_TOKENS)
			in->query_tiles[n++] =
			        (struct query_tile){s, b->sequences[s].first_token + t,
			                            min_int(b->sequences[s].token_count - t, QUERY_TOKENS)};
	in->query_tile_count = n;
	for (int i = 0; i < b->output_count; i++)
		in->whole_row[i] = b->outputs[i].mode & OUTPUT_WHOLE_ROW ? rows++ : -1;
}

int step_run(struct instance *in, const struct plan *plan, const struct batch *b, int workers)
{
	struct walk w = {
	        .run = {.in = in,
	                .batch = b,
	                .rows = {[PER_TOKEN] = b->token_count,
	                         [PER_OUTPUT] = b->output_count,
	                         [PER_SEQUENCE] = b->sequence_count}},
	        .plan = plan,
	        .from = in->resume,
	        .phase = in->resume.phase,
	};
	plan_batch(in, b);
	pool_begin_at(in->pool, w.from.chunk);
	int gave_way = pool_run(in->pool, workers, walk, &w);
	w.left.chunk = gave_way ? pool_claimed(in->pool) : 0;
	in->resume = w.left; /* zeros where it is done */
	return gave_way;
}
