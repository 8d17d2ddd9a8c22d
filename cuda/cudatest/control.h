/* control.h owns the binding of the fake driver's control functions, found in the library that the process loads. */
#ifndef CHIMERA_CUDATEST_CONTROL_H
#define CHIMERA_CUDATEST_CONTROL_H
#include "../emulation/fake_cuda.h"

/* Binds the functions below to libcuda.so.1. Gives NULL, or what is wrong. */
const char *control_open(void);
const char *control_configure(const char *text);
void control_restore(void);
void control_reset(void);
void control_count(struct fake_cuda_counts *to);
uint64_t control_calls_of(const char *name);
size_t control_log(char *to, size_t size);
size_t control_violations(char *to, size_t size);
enum { CONTROL_ARGUMENTS = 11 }; /* of cuLaunchKernel, the longest */
/* Calls a driver function of integers and pointers; -1 if there is none of that name. */
int control_call(const char *name, const uintptr_t a[CONTROL_ARGUMENTS]);
#endif
