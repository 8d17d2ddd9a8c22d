#ifndef CHIMERA_ROW_H
#define CHIMERA_ROW_H
#include "cpu.h"
struct row_kernels { int unused; };
#endif
