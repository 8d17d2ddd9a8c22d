#include "op_store.h"
#include "step.h"

static int store_rows(const struct run *r, const struct phase *p) { return r->rows[PER_TOKEN]; }

/* sequence_of is the sequence that the token's row belongs to. */
static int sequence_of(const struct batch *b, int token)
{
	int low = 0, high = b->sequence_count - 1;
	while (low < high) {
		int mid = (low + high + 1) / 2;
		if (b->sequences[mid].first_token <= token)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

/* page_of is where the layer's heads begin in the page of a token. */
static uint8_t *page_of(const struct run *r, const struct op_store *o, int sequence, int position)
{
	const struct group_cache *c = &r->in->groups[o->group];
	const struct table *t = table_of(r, sequence, o->group);
	int32_t page = r->batch->pages[t->first + position / PAGE_TOKENS - t->base];
	return c->pages + page * c->kv.page_bytes + (int64_t)o->layer * c->kv.kv_heads * c->kv.head_bytes;
}

/* The last token of a sequence that opened the page in this step clears the slots behind it. */
static void store_row(const struct run *r, const struct phase *p, int token, int worker)
{
	const struct op_store *o = &p->op.store;
	const struct kv_layout *kv = &r->in->groups[o->group].kv;
	int sequence = sequence_of(r->batch, token);
	const struct sequence_rows *s = &r->batch->sequences[sequence];
	int position = r->batch->positions[token], slot = position % PAGE_TOKENS;
	int last = token == s->first_token + s->token_count - 1, opened = token - s->first_token >= slot;
	uint8_t *head = page_of(r, o, sequence, position);
	float *k = scratch_of(r, worker);
	for (int h = 0; h < kv->kv_heads; h++, head += kv->head_bytes) {
		const float *v = o->v ? row_of(o->v, token) + (int64_t)h * kv->value_width : NULL;
		turn_head(r, &o->turn, token, row_of(o->k, token) + (int64_t)h * kv->key_width, kv->key_width, k);
		r->in->kernels->attend.store(kv, head, slot, k, v);
		if (last && opened && slot < PAGE_TOKENS - 1)
			kv_clear_after(kv, head, slot);
	}
}

const struct runner store_runner = {.rows = store_rows, .row = store_row};
