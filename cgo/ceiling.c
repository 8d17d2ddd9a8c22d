/* ceiling.c owns how the workers measure the machine: as in a step, each claims pieces until there are none. */
#include "ceiling.h"
#include "run.h"

enum { PIECE = 1 << 18 }; /* beyond it the claims don't show, and the last piece is soon read */

struct ceiling {
	struct pool *pool;
	const struct kernels *kernels;
	const uint8_t *bytes;
	int64_t count;
};

static void read_pieces(void *arg, int worker)
{
	const struct ceiling *c = arg;
	int64_t at;
	while ((at = (int64_t)pool_claim(c->pool) * PIECE) < c->count)
		c->kernels->ceiling.read(c->bytes + at, c->count - at < PIECE ? c->count - at : PIECE);
}

static void multiply(void *arg, int worker)
{
	const struct ceiling *c = arg;
	c->kernels->ceiling.multiply(CEILING_MACS);
}

void ceiling_read(struct pool *pool, int workers, const struct kernels *k, const uint8_t *bytes, int64_t count)
{
	pool_begin_at(pool, 0);
	pool_run(pool, workers, read_pieces, &(struct ceiling){pool, k, bytes, count});
}

void ceiling_multiply(struct pool *pool, int workers, const struct kernels *k)
{
	pool_begin_at(pool, 0);
	pool_run(pool, workers, multiply, &(struct ceiling){.pool = pool, .kernels = k});
}
