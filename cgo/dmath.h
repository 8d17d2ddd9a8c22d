/* dmath.h owns double-precision functions that give the same bits on every machine: only additions,
 * products, quotients and rint, which IEEE 754 fixes. */
#ifndef CHIMERA_DMATH_H
#define CHIMERA_DMATH_H

double d_exp(double x);                                /* relative error below 1e-15 in [-700, 700], 0 or inf beyond */
double d_log(double x);                                /* x > 0 and normal */
double d_pow(double x, double y);                      /* x > 0: d_exp(y * d_log(x)) */
void d_sincos(double x, double *sine, double *cosine); /* |x| < 2^30, absolute error below 1e-15 * max(1, |x|) */
#endif
