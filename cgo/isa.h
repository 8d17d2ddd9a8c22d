/* isa.h owns the choice of an instruction set. */
#ifndef CHIMERA_ISA_H
#define CHIMERA_ISA_H
#include "kernels.h"

/* isa_kernels returns the table for "auto", "scalar", "avx2" or "avx512" (with VNNI where the machine
 * has it; "avx512f" and "avx512vnni" name one of the two, for tests), or NULL if this machine can't. */
const struct kernels *isa_kernels(const char *name);
#endif
