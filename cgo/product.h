#ifndef CHIMERA_PRODUCT_H
#define CHIMERA_PRODUCT_H
#include "cpu.h"
struct product_kernels { int unused; };
#endif
