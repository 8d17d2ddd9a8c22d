#ifndef CHIMERA_ATTEND_H
#define CHIMERA_ATTEND_H
#include "cpu.h"
struct attend_kernels { int unused; };
#endif
