/* kernels.h owns the table of kernels that one instruction set offers, chosen once at load. */
#ifndef CHIMERA_KERNELS_H
#define CHIMERA_KERNELS_H
#include "attend.h"
#include "product.h"
#include "quantise_search.h"
#include "rows.h"
#include "sample.h"

/* See ceiling.h. A read is of whole 256 bytes. */
struct ceiling_kernels {
	void (*read)(const uint8_t *bytes, int64_t count);
	void (*multiply)(int64_t macs);
};

struct kernels {
	const char *isa;
	struct product_kernels product;
	struct row_kernels row;
	struct sample_kernels sample;
	struct attend_kernels attend;
	struct ceiling_kernels ceiling;
	struct quantise_kernels quantise;
};

extern const struct kernels kernels_scalar, kernels_avx2, kernels_avx512, kernels_avx512vnni;
#endif
