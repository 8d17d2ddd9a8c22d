package cgotest

/*
#include "../dmath.h"
#include "../half.h"
#include "../random.h"
#include "../rows.h"
#include "../vec.h"
#include "../vmath_body.h"

static float probe_half_to_float(uint16_t h) { return half_to_float(h); }
static uint16_t probe_float_to_half(float f) { return float_to_half(f); }

// v_erf alone: no table offers it, GELU uses it.
static float probe_erf(float x)
{
	float lanes[LANES];
	v_store(lanes, v_erf(v_set1(x)));
	return lanes[0];
}
*/
import "C"

// This file owns the functions that headers hold: of doubles, halves and random numbers, and erf, which no table offers.

func probePhilox(counter [4]uint32, key [2]uint32) (out [4]uint32) {
	C.philox((*C.uint32_t)(&counter[0]), (*C.uint32_t)(&key[0]), (*C.uint32_t)(&out[0]))
	return out
}

func probeUniform(seed uint64, choice, position uint32) float64 {
	return float64(C.random_uniform(C.uint64_t(seed), C.uint32_t(choice), C.uint32_t(position)))
}

func probeExp(x float64) float64 { return float64(C.d_exp(C.double(x))) }

func probeLog(x float64) float64 { return float64(C.d_log(C.double(x))) }

func probePow(x, y float64) float64 { return float64(C.d_pow(C.double(x), C.double(y))) }

func probeSincos(x float64) (float64, float64) {
	var s, c C.double
	C.d_sincos(C.double(x), &s, &c)
	return float64(s), float64(c)
}

func probeHalfToFloat(h uint16) float32 { return float32(C.probe_half_to_float(C.uint16_t(h))) }

func probeFloatToHalf(f float32) uint16 { return uint16(C.probe_float_to_half(C.float(f))) }

func probeErf(x float32) float32 { return float32(C.probe_erf(C.float(x))) }
