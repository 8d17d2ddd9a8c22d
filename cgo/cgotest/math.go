package cgotest

/*
#include "../dmath.h"
#include "../half.h"
#include "../random.h"
#include "../rows.h"
#include "../vec.h"
#include "../vmath_body.h"
#include "../exp_body.h"

static float probe_half_to_float(uint16_t h) { return half_to_float(h); }
static uint16_t probe_float_to_half(float f) { return float_to_half(f); }

// v_erf alone: no table offers it, GELU uses it.
static float probe_erf(float x)
{
	float lanes[LANES];
	v_store(lanes, v_erf(v_set1(x)));
	return lanes[0];
}

// The exponentials of softmax, and those they must equal.
static void probe_exp_below(const float *x, float *below, float *all)
{
	vf v[EXP_VECTORS];
	for (int i = 0; i < EXP_VECTORS; i++) {
		v[i] = v_load(x + i * LANES);
		v_store(all + i * LANES, v_exp(v[i]));
	}
	v_exp_below(v, EXP_VECTORS);
	for (int i = 0; i < EXP_VECTORS; i++)
		v_store(below + i * LANES, v[i]);
}
*/
import "C"

// This file owns the functions that headers hold: of doubles, halves and random numbers, and what no table offers: erf, and the exponentials of softmax.

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

// expVectors is how many floats probeExpBelow takes.
const expVectors = C.EXP_VECTORS * C.LANES

// probeExpBelow gives the exponentials of softmax, and those of all else.
func probeExpBelow(x []float32) (below, all []float32) {
	below, all = make([]float32, expVectors), make([]float32, expVectors)
	C.probe_exp_below(floats(x), floats(below), floats(all))
	return below, all
}
