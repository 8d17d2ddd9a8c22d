/* pack.h owns packed matrices: a file's rows to sixteen side by side, and back. */
#ifndef CHIMERA_PACK_H
#define CHIMERA_PACK_H
#include "form.h"
#include "gguf_blocks.h"
#include "half.h"

/* pack_group_bytes is the size of 16 packed rows. */
static inline int64_t pack_group_bytes(int form, int cols)
{
	struct form f = form_of(form);
	if (form == FORM_F32)
		return (int64_t)cols * GROUP * 4;
	if (form <= FORM_BF16)
		return (int64_t)cols * GROUP * 2;
	return (int64_t)(cols / BLOCK / f.super) * form_super(f);
}

/* pack_groups packs groups [first, first + groups) of w->rows source rows of row_bytes each into
 * w->data; rows beyond the last are zeros. src is the first of these groups' rows. */
void pack_groups(const struct packed *w, const uint8_t *src, int64_t row_bytes, int first, int groups);
/* unpack_row writes one row's (cols) values, equal to the format's own dequantisation (MXFP4's negative
 * zero becomes zero). */
void unpack_row(const struct packed *w, int row, float *out);
#endif
