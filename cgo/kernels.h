/* kernels.h owns the table of kernels that one instruction set offers, chosen once at load. */
#ifndef CHIMERA_KERNELS_H
#define CHIMERA_KERNELS_H
#include "attend.h"
#include "product.h"
#include "rows.h"
#include "sample.h"

struct kernels {
	const char *isa;
	struct product_kernels product;
	struct row_kernels row;
	struct sample_kernels sample;
	struct attend_kernels attend;
};

extern const struct kernels kernels_scalar, kernels_avx2, kernels_avx512, kernels_avx512vnni;
#endif
