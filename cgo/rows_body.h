#define ROW_KERNELS {0}
