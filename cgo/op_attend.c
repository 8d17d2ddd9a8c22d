/* A chunk is up to QUERY_TOKENS tokens of a sequence by up to QUERY_HEADS query heads of one KV head. */
#include "op_attend.h"
#include "step.h"

/* A chunk's place: queries [head, head + heads) of KV head kv_head. */
struct part {
	const struct query_tile *tile;
	int kv_head, head, heads;
};

/* heads_per_chunk is how many query heads of a KV head share a chunk, and so the loads of K and V: fewer than could
 * where that would leave workers without any. */
static int heads_per_chunk(const struct run *r, const struct op_attend *o)
{
	const struct kv_layout *kv = &r->in->groups[o->group].kv;
	int shared = o->heads / kv->kv_heads, heads = min_int(shared, QUERY_HEADS);
	int kv_heads = r->in->query_tile_count * kv->kv_heads; /* of all tiles together */
	while (heads > 1 && kv_heads * ceil_div(shared, heads) < pool_active(r->in->pool))
		heads = ceil_div(heads, 2);
	return heads;
}

/* part_of counts from the last tile: it sees most in a prompt, and large chunks that come first leave nobody waiting
 * for one at the phase's end. */
static struct part part_of(const struct run *r, const struct op_attend *o, int chunk)
{
	const struct kv_layout *kv = &r->in->groups[o->group].kv;
	int shared = o->heads / kv->kv_heads, heads = heads_per_chunk(r, o), parts = ceil_div(shared, heads);
	int at = chunk % (parts * kv->kv_heads), first = at % parts * heads;
	return (struct part){
	        .tile = &r->in->query_tiles[r->in->query_tile_count - 1 - chunk / (parts * kv->kv_heads)],
	        .kv_head = at / parts,
	        .head = at / parts * shared + first,
	        .heads = min_int(shared - first, heads),
	};
}

/* turn_queries writes the part's queries to q, (tokens, heads, key_width). */
static void turn_queries(const struct run *r, const struct op_attend *o, const struct part *c, int width, float *q)
{
	for (int token = c->tile->first_token; token < c->tile->first_token + c->tile->tokens; token++)
		for (int h = 0; h < c->heads; h++, q += width)
			turn_head(r, &o->turn, token, row_of(o->q, token) + (int64_t)(c->head + h) * width, width, q);
}

static int attend_chunks(const struct run *r, const struct phase *p, int round)
{
	const struct op_attend *o = &p->op.attend;
	const struct kv_layout *kv = &r->in->groups[o->group].kv;
	return r->in->query_tile_count * kv->kv_heads * ceil_div(o->heads / kv->kv_heads, heads_per_chunk(r, o));
}

static void attend_chunk(const struct run *r, const struct phase *p, int round, int chunk, int worker)
{
	const struct op_attend *o = &p->op.attend;
	const struct group_cache *g = &r->in->groups[o->group];
	struct part c = part_of(r, o, chunk);
	const struct table *t = table_of(r, c.tile->sequence, o->group);
	float *q = scratch_of(r, worker);
	turn_queries(r, o, &c, g->kv.key_width, q);
	struct attend_args a = {
	        .kv = &g->kv,
	        .base = g->pages + ((int64_t)o->layer * g->kv.kv_heads + c.kv_head) * g->kv.head_bytes,
	        .pages = r->batch->pages + t->first,
	        .first_page = t->base,
	        .q = q,
	        .out = row_of(o->out, c.tile->first_token) + (int64_t)c.head * g->kv.value_width,
	        .out_stride = o->out->width,
	        .first_position = r->batch->positions[c.tile->first_token],
	        .rows = c.tile->tokens * c.heads,
	        .heads = c.heads,
	        .mask = g->mask,
	        .window = g->window,
	        .length = t->length,
	        .scale = o->scale,
	        .softcap = o->softcap,
	};
	r->in->kernels->attend.attend(&a);
}

const struct runner attend_runner = {.chunks = attend_chunks, .chunk = attend_chunk};
