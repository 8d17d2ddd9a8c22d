/* AVX2 with FMA and F16C: Haswell and Zen onwards. */
#pragma GCC target("avx2,fma,f16c")
#define ISA avx2
#define ISA_AVX2
#include "kernels_body.h"
