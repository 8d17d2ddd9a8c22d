/* ceiling.h owns what this machine can do at most, for a benchmark to set the phases beside. */
#ifndef CHIMERA_CEILING_H
#define CHIMERA_CEILING_H
#include "kernels.h"
#include "pool.h"

/* ceiling_read has the workers read bytes once, front to back. */
void ceiling_read(struct pool *pool, int workers, const struct kernels *k, const uint8_t *bytes, int64_t count);

/* ceiling_multiply has each worker do CEILING_MACS multiply-accumulates of bytes. */
enum { CEILING_MACS = 1 << 28 };
void ceiling_multiply(struct pool *pool, int workers, const struct kernels *k);
#endif
