/* random.h owns randomness: Philox4x32-10 (Salmon et al. 2011) of (seed, choice, position), so that a
 * draw does not depend on the draws before it. */
#ifndef CHIMERA_RANDOM_H
#define CHIMERA_RANDOM_H
#include "portable.h"
#include <stdint.h>
#include <string.h>

static inline PORTABLE void philox_round(uint32_t c[4], const uint32_t k[2])
{
	uint64_t a = (uint64_t)0xD2511F53 * c[0], b = (uint64_t)0xCD9E8D57 * c[2];
	uint32_t c1 = c[1], c3 = c[3];
	c[0] = (uint32_t)(b >> 32) ^ c1 ^ k[0];
	c[1] = (uint32_t)b;
	c[2] = (uint32_t)(a >> 32) ^ c3 ^ k[1];
	c[3] = (uint32_t)a;
}

/* philox is the generator itself. */
static inline PORTABLE void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
	uint32_t k[2] = {key[0], key[1]};
	memcpy(out, counter, 4 * sizeof *out);
	for (int i = 0; i < 10; i++) {
		philox_round(out, k);
		k[0] += 0x9E3779B9;
		k[1] += 0xBB67AE85;
	}
}

/* random_uniform is in [0, 1). */
static inline PORTABLE double random_uniform(uint64_t seed, uint32_t choice, uint32_t position)
{
	uint32_t counter[4] = {position, choice, 0, 0}, out[4];
	uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	philox(counter, key, out);
	return (double)((uint64_t)out[0] << 21 | out[1] >> 11) * 0x1p-53;
}
#endif
