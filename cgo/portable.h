/* portable.h owns the qualifier of functions that gcc and nvcc both compile: formats, geometry, and
 * arithmetic that is not worth a vector. CPU and GPU share such code, so they cannot disagree on it. */
#ifndef CHIMERA_PORTABLE_H
#define CHIMERA_PORTABLE_H

#ifdef __CUDACC__
#define PORTABLE __device__
#define FOLDED __forceinline__ /* its arguments are constants, and so is then its result */
#else
#define PORTABLE
#define FOLDED __attribute__((always_inline))
#endif
#endif
