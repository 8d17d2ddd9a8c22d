/* rows.h owns the interface of what works on one row at a time: norms, epilogues, rotary positions. */
#ifndef CHIMERA_ROWS_H
#define CHIMERA_ROWS_H
#include "cpu.h"

/* Values as in the engine package. */
enum norm_kind { NORM_RMS = 1, NORM_LAYER };
enum activation { ACT_IDENTITY, ACT_SILU, ACT_GELU_TANH, ACT_GELU };
enum rope_style { ROPE_ADJACENT, ROPE_HALVES };

struct row_kernels {
	/* norm: out = norm(x) * gamma + beta + residual; any of the three may be NULL, out may be x. */
	void (*norm)(int kind, const float *x, const float *gamma, const float *beta, const float *residual,
	             float epsilon, int n, float *out);
	/* epilogue: out = act(gate) * (acc + bias) + residual, or act(acc + bias) + residual. */
	void (*epilogue)(float *out, const float *acc, const float *gate, const float *bias, const float *residual,
	                 int activation, int n);
	/* logits, in place: softcap((x + bias) * scale). */
	void (*logits)(float *x, const float *bias, float scale, float softcap, int n);
	void (*add)(float *out, const float *a, const float *b, int n);
	void (*scale)(float *x, float by, int n);
	/* rope turns the first dim elements of a head; cosine and sine are (dim / 2). */
	void (*rope)(float *head, const float *cosine, const float *sine, int dim, int style);
};
#endif
