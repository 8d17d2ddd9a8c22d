/* cpu.h owns what the C files share: packed weights, activations and the table of kernels. */
#ifndef CHIMERA_CPU_H
#define CHIMERA_CPU_H
#include <stddef.h>
#include <stdint.h>

/* Weight rows are interleaved in groups of 16: lane i of a vector is row 16*group + i, so that every
 * output element has one accumulator of its own and K ascends in it. Rows are padded with zeros to
 * whole groups at load: no kernel has a tail in rows. */
enum { GROUP = 16, BLOCK = 32 };

/* How a packed matrix stores its values. Chosen per source type at load (pack_form). */
enum pack_form {
	PACK_F32,  /* float   [group][k][16] */
	PACK_F16,  /* half    [group][k][16] */
	PACK_BF16, /* bf16    [group][k][16] */
	PACK_FORMS /* product.h extends this list with the quantised forms */
};

/* One weight matrix, (rows, cols), packed. */
struct packed {
	const uint8_t *data;	 /* groups * group_bytes */
	int64_t group_bytes;	 /* bytes of 16 rows */
	int32_t form;		 /* enum pack_form */
	int32_t rows, cols;	 /* unpadded */
	int32_t groups;		 /* (rows + 15) / 16 */
};
#endif
