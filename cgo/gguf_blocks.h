/* gguf_blocks.h owns the block formats of GGUF: 32 values of any of them as integers, scales and
 * minimums. The layouts are those of the ggml project's format description; `weights` has the same
 * knowledge in Go for tools, and the tests hold both to the same checksums. */
#ifndef CHIMERA_GGUF_BLOCKS_H
#define CHIMERA_GGUF_BLOCKS_H
#include <stdint.h>

/* GGUF type ids. */
enum {
	TYPE_F32 = 0,
	TYPE_F16 = 1,
	TYPE_Q4_0 = 2,
	TYPE_Q4_1 = 3,
	TYPE_Q5_0 = 6,
	TYPE_Q5_1 = 7,
	TYPE_Q8_0 = 8,
	TYPE_Q2_K = 10,
	TYPE_Q3_K = 11,
	TYPE_Q4_K = 12,
	TYPE_Q5_K = 13,
	TYPE_Q6_K = 14,
	TYPE_IQ4_NL = 20,
	TYPE_IQ4_XS = 23,
	TYPE_BF16 = 30,
	TYPE_MXFP4 = 39,
};

/* 32 values: w[i] = d[i / 16] * q[i] + m[i / 16]. */
struct block32 {
	int8_t q[32];
	float d[2], m[2];
};

/* block32_read decodes values [32 * index, 32 * index + 32) of a row. */
void block32_read(uint32_t type, const uint8_t *row, int index, struct block32 *out);
#endif
