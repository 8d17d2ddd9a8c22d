/* cpu.h owns what the C files share: packed weights, activations and the table of kernels. */
#ifndef CHIMERA_CPU_H
#define CHIMERA_CPU_H
#include <stddef.h>
#include <stdint.h>

/* Weight rows are interleaved in groups of 16: lane i of a vector is row 16*group + i, so that every
 * output element has one accumulator of its own and K ascends in it. Rows are padded with zeros to
 * whole groups at load: no kernel has a tail in rows. */
enum { GROUP = 16, BLOCK = 32 };

/* One weight matrix, (rows, cols), packed. */
struct packed {
	const uint8_t *data; /* groups * group_bytes */
	int64_t group_bytes; /* bytes of 16 rows */
	int32_t form;        /* enum form_id */
	int32_t rows, cols;  /* unpadded */
	int32_t groups;      /* (rows + 15) / 16 */
	int32_t reserved;
};
#endif
