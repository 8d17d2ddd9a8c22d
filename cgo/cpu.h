/* cpu.h owns what the C files share: packed weights, activations and the table of kernels. */
#ifndef CHIMERA_CPU_H
#define CHIMERA_CPU_H
#include <stddef.h>
#include <stdint.h>

/* Weight rows are interleaved in groups of 16: lane i of a vector is row 16*group + i, so that every
 * output element has one accumulator of its own and K ascends in it. Rows are padded with zeros to
 * whole groups at load: no kernel has a tail in rows. */
enum { GROUP = 16, BLOCK = 32 };

/* How a packed matrix stores 16 rows, block by block. Quantised values are w = d*q (+ m), with d and m
 * as floats, each the number that the file's format defines, so unpacking gives the file's values.
 * Bytes of q: four consecutive k of lane 0, of lane 1 ... (64 bytes), eight times for a block. */
enum pack_form {
	PACK_F32,  /* float [k][16] */
	PACK_F16,  /* half  [k][16] */
	PACK_BF16, /* bf16  [k][16] */
	PACK_U4,   /* per 32: d[16] m[16] nibbles[256]: byte i holds q of k and, above, of k + 4 */
	PACK_I8,   /* per 32: d[16] q[512] */
	PACK_I8M,  /* per 32: d[16] m[16] q[512] */
	PACK_I8H,  /* per 32, in halves of 16: d[2][16] q[512] */
	PACK_I8HM, /* per 32, in halves of 16: d[2][16] m[2][16] q[512] */
	PACK_FORMS
};

/* One weight matrix, (rows, cols), packed. */
struct packed {
	const uint8_t *data; /* groups * group_bytes */
	int64_t group_bytes; /* bytes of 16 rows */
	int32_t form;        /* enum pack_form */
	int32_t rows, cols;  /* unpadded */
	int32_t groups;      /* (rows + 15) / 16 */
	int32_t reserved;
};
#endif
