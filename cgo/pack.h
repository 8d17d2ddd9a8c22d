/* pack.h owns the way from a file's tensor to a packed matrix, and back. */
#ifndef CHIMERA_PACK_H
#define CHIMERA_PACK_H
#include "cpu.h"

/* pack_form tells how a GGUF type is packed, or -1 if it is not known. */
int pack_form(uint32_t type);
/* pack_group_bytes is the size of 16 packed rows. */
int64_t pack_group_bytes(int form, int cols);
/* pack_groups packs groups [first, first + groups) of w->rows source rows of row_bytes each into
 * w->data; rows beyond the last are zeros. src is the first row of the matrix. */
void pack_groups(const struct packed *w, uint32_t type, const uint8_t *src, int64_t row_bytes, int first, int groups);
/* unpack_row writes one row's (cols) values, equal to the format's own dequantisation (MXFP4's negative
 * zero becomes zero). */
void unpack_row(const struct packed *w, int row, float *out);
#endif
