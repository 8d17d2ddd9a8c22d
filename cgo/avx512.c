/* AVX-512 without VNNI: Skylake-X. */
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c,prefer-vector-width=512")
#define ISA avx512
#define ISA_AVX512
#include "kernels_body.h"
