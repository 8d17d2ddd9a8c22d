#ifndef CHIMERA_SAMPLE_H
#define CHIMERA_SAMPLE_H
#include "cpu.h"
struct sample_kernels { int unused; };
#endif
