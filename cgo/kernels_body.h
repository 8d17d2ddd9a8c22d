/* kernels_body.h is the whole of one instruction set's code: included once by scalar.c, avx2.c,
 * avx512.c and avx512vnni.c, each of which sets its target and ISA first. */
#include "kernels.h"
#include "vec.h"
#include "vmath_body.h"
#include "dot_body.h"
#include "packed_body.h"
#include "round_body.h"
#include "row_product_body.h"
#include "panel_body.h"
#include "product_body.h"
#include "rows_body.h"
#include "exp_body.h"
#include "sample_body.h"
#include "page_body.h"
#include "attend_tile_body.h"
#include "attend_body.h"
#include "ceiling_body.h"
#include "quantise_fit_body.h"
#include "quantise_blocks_body.h"
#include "quantise_choice_body.h"
#include "quantise_super_body.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const struct kernels FN(kernels) = {
        .isa = TEXT(ISA),
        .product = PRODUCT_KERNELS,
        .row = ROW_KERNELS,
        .sample = SAMPLE_KERNELS,
        .attend = ATTEND_KERNELS,
        .ceiling = CEILING_KERNELS,
        .quantise = QUANTISE_KERNELS,
};
