/* The oracle: plain C with fmaf, which every other set must equal to the last bit. */
#define ISA scalar
#include "kernels_body.h"
