/* quantise.h owns the interface of the quantisers that search: values to the block formats of GGUF whose scales are
 * fewer than their blocks' values deserve, so that which scales are best is a question. Formats in which rounding is
 * all there is to do (halves, Q8_0) need no search and are written in Go, by `weights`. */
#ifndef CHIMERA_QUANTISE_H
#define CHIMERA_QUANTISE_H
#include "gguf_blocks.h"
#include "kernels.h"

/* quantise writes rows of (cols) values, whole blocks, as a type that quantise_block_values knows. `importance` has a
 * weight of each column, how much an error there costs, or is NULL. It returns -1, or the first value that is not
 * finite or lies beyond what the type reaches, and writes nothing then. The bytes depend on nothing but the arguments
 * behind the kernels. */
int64_t quantise(const struct kernels *k, uint32_t type, const float *x, int64_t rows, int cols,
                 const float *importance, uint8_t *out);

/* What a type's block is: its values, its bytes, and the largest absolute value that every block can hold. All are 0
 * for a type that is not searched for. */
int quantise_block_values(uint32_t type);
int quantise_block_bytes(uint32_t type);
float quantise_reach(uint32_t type);

/* write_block and write_super write one block's bytes. */
void write_block(uint32_t type, const struct block_codes *c, uint8_t *out);
void write_super(uint32_t type, const struct super_codes *c, uint8_t *out);
#endif
