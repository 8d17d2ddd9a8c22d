/* isa.c owns the choice of an instruction set by cpuid. */
#include "isa.h"
#include <string.h>

static int has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

static int has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

const struct kernels *isa_kernels(const char *name)
{
	int best = strcmp(name, "auto") == 0;
	if (has_avx512() && __builtin_cpu_supports("avx512vnni") &&
	    (best || strcmp(name, "avx512") == 0 || strcmp(name, "avx512vnni") == 0))
		return &kernels_avx512vnni;
	if (has_avx512() && (best || strcmp(name, "avx512") == 0 || strcmp(name, "avx512f") == 0))
		return &kernels_avx512;
	if (has_avx2() && (best || strcmp(name, "avx2") == 0))
		return &kernels_avx2;
	if (best || strcmp(name, "scalar") == 0)
		return &kernels_scalar;
	return NULL;
}
