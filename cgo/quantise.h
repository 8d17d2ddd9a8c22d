/* quantise.h owns the interface of the quantisers that search: values to the block formats of GGUF whose scales are
 * fewer than their blocks' values deserve, so that which scales are best is a question. Formats in which rounding is
 * all there is to do (halves, Q8_0) need no search and are written in Go, by `weights`. */
#ifndef CHIMERA_QUANTISE_H
#define CHIMERA_QUANTISE_H
#include "gguf_blocks.h"
#include "quantise_fit.h"
#include <stdint.h>

#define SUPER 256 /* values of a super-block */

/* A super-block as integers: value i of sub-block b is d * scale[b] * code[i] - dmin * minimum[b]. Codes and scales of
 * formats without a minimum are signed. */
struct super_codes {
	int8_t code[SUPER];
	int16_t scale[16], minimum[16];
	uint16_t d, dmin; /* halves */
};

/* A block of 32 with a scale of its own: value i is d * code[i] + m. */
struct block_codes {
	int8_t code[32];
	uint16_t d, m; /* halves */
};

/* quantise writes rows of (cols) values, whole blocks, as a type that quantise_block_values knows. `importance` has a
 * weight of each column, how much an error there costs, or is NULL. It returns -1, or the first value that is not
 * finite or lies beyond what the type reaches; blocks behind that are not written. The bytes depend on nothing but the
 * arguments. */
int64_t quantise(uint32_t type, const float *x, int64_t rows, int cols, const float *importance, uint8_t *out);

/* What a type's block is: its values, its bytes, and the largest absolute value that every block can hold. All are 0
 * for a type that is not searched for. */
int quantise_block_values(uint32_t type);
int quantise_block_bytes(uint32_t type);
float quantise_reach(uint32_t type);

/* The searches: of blocks of 32, of super-blocks of scales alone, of super-blocks of scales and minimums. */
void search_block(uint32_t type, const struct scaled *s, struct block_codes *out);
void search_scales(uint32_t type, const struct scaled *s, struct super_codes *out);
void search_minimums(uint32_t type, const struct scaled *s, struct super_codes *out);

/* write_block and write_super write one block's bytes. */
void write_block(uint32_t type, const struct block_codes *c, uint8_t *out);
void write_super(uint32_t type, const struct super_codes *c, uint8_t *out);
#endif
