/* AVX-512 with VNNI: Ice Lake, Sapphire Rapids, Zen 4. */
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c,prefer-vector-width=512")
#define ISA avx512vnni
#define ISA_AVX512
#define ISA_VNNI
#include "kernels_body.h"
