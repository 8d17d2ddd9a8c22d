/* step.h owns the lowered program as C sees it. Go fills these structures once for a generation of weights
 * (fill.go and the ops' files); a step only reads them. */
#ifndef CHIMERA_STEP_H
#define CHIMERA_STEP_H
#include "op_add.h"
#include "op_attend.h"
#include "op_embed.h"
#include "op_head.h"
#include "op_linears.h"
#include "op_norm.h"
#include "op_quantise.h"
#include "op_rope.h"
#include "op_rows.h"
#include "op_store.h"
#include "op_tap.h"
#include "run.h"

/* lowering.Kind */
enum phase_kind {
	PHASE_ROPE_TABLE = 1,
	PHASE_EMBED,
	PHASE_NORM,
	PHASE_QUANTISE,
	PHASE_LINEARS,
	PHASE_STORE,
	PHASE_ATTEND,
	PHASE_ADD,
	PHASE_ROWS,
	PHASE_TAP,
	PHASE_HEAD,
};

struct phase {
	int32_t kind; /* which of op counts */
	union {
		struct op_rope rope;
		struct op_embed embed;
		struct op_norm norm;
		struct op_quantise quantise;
		struct op_linears linears;
		struct op_store store;
		struct op_attend attend;
		struct op_add add;
		struct op_rows rows;
		struct op_tap tap;
		struct op_head head;
	} op;
};

/* What a program became for one generation of an instance's weights. */
struct plan {
	const struct phase *phases; /* (count) */
	int32_t count;
};

/* step_run computes the batch on so many workers of the instance's pool, from in->resume on. It cannot fail: Go has
 * checked what C relies on. It tells whether the step gave way: then in->resume is where it goes on, with the same
 * batch on as many workers, since these decide how a phase is cut into chunks. */
int step_run(struct instance *in, const struct plan *plan, const struct batch *b, int workers);
#endif
