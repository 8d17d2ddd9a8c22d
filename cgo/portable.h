/* portable.h owns the qualifier of functions that gcc and nvcc both compile: formats, geometry, and
 * arithmetic that is not worth a vector. CPU and GPU share such code, so they cannot disagree on it. */
#ifndef CHIMERA_PORTABLE_H
#define CHIMERA_PORTABLE_H

#ifdef __CUDACC__
#define PORTABLE __device__
#else
#define PORTABLE
#endif

/* FOLDED functions have constants for arguments, and so for results: they must be inlined to be. */
#define FOLDED __attribute__((always_inline))
#endif
