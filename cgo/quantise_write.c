/* quantise_write.c owns the bytes of blocks: gguf_blocks.h has the layouts, and reads what is written here. */
#include "quantise.h"

static void put_half_at(uint8_t *p, uint16_t h)
{
	p[0] = (uint8_t)h;
	p[1] = (uint8_t)(h >> 8);
}

/* put_nibbles: code i is the low half of byte i, code i + 16 its high half. */
static void put_nibbles(uint8_t *p, const uint8_t *q)
{
	for (int i = 0; i < 16; i++)
		p[i] = (uint8_t)((q[i] & 15) | (q[i + 16] & 15) << 4);
}

static void put_fifth_bits(uint8_t *p, const uint8_t *q)
{
	for (int i = 0; i < 32; i++)
		p[i / 8] = (uint8_t)(p[i / 8] | (q[i] >> 4 & 1) << i % 8);
}

void write_block(uint32_t type, const struct block_codes *c, uint8_t *out)
{
	int centre = type == TYPE_Q4_0 ? 8 : type == TYPE_Q5_0 ? 16 : 0;
	int at = type == TYPE_Q5_1 ? 4 : 2; /* behind the halves */
	uint8_t q[32];
	for (int i = 0; i < 32; i++)
		q[i] = (uint8_t)(c->code[i] + centre);
	put_half_at(out, c->d);
	if (type == TYPE_Q5_1)
		put_half_at(out + 2, c->m);
	if (type != TYPE_Q4_0) {
		memset(out + at, 0, 4);
		put_fifth_bits(out + at, q);
		at += 4;
	}
	put_nibbles(out + at, q);
}

static void write_q2_k(const struct super_codes *c, uint8_t *out)
{
	for (int b = 0; b < 16; b++)
		out[b] = (uint8_t)(c->scale[b] | c->minimum[b] << 4);
	for (int i = 0; i < SUPER; i++) {
		uint8_t *byte = out + 16 + i / 128 * 32 + i % 32;
		*byte = (uint8_t)(*byte | c->code[i] << i / 32 % 4 * 2);
	}
	put_half_at(out + 80, c->d);
	put_half_at(out + 82, c->dmin);
}

static void write_q3_k(const struct super_codes *c, uint8_t *out)
{
	for (int i = 0; i < SUPER; i++) {
		int q = c->code[i] + 4;
		uint8_t *byte = out + 32 + i / 128 * 32 + i % 32;
		out[i % 32] = (uint8_t)(out[i % 32] | (q >> 2) << i / 32);
		*byte = (uint8_t)(*byte | (q & 3) << i / 32 % 4 * 2);
	}
	for (int b = 0; b < 16; b++) {
		int s = c->scale[b] + 32;
		uint8_t *low = out + 96 + b % 8, *high = out + 104 + b % 4;
		*low = (uint8_t)(*low | (s & 15) << b / 8 * 4);
		*high = (uint8_t)(*high | (s >> 4) << b / 4 * 2);
	}
	put_half_at(out + 108, c->d);
}

/* put_scale_min writes pair b of the eight six-bit scales and minimums of Q4_K and Q5_K. */
static void put_scale_min(uint8_t *p, int b, int scale, int minimum)
{
	if (b < 4) {
		p[b] = (uint8_t)(p[b] | scale);
		p[b + 4] = (uint8_t)(p[b + 4] | minimum);
		return;
	}
	p[b + 4] = (uint8_t)((scale & 15) | (minimum & 15) << 4);
	p[b - 4] = (uint8_t)(p[b - 4] | (scale >> 4) << 6);
	p[b] = (uint8_t)(p[b] | (minimum >> 4) << 6);
}

static void write_q4_q5_k(const struct super_codes *c, uint8_t *out, int fifth)
{
	uint8_t *low = out + (fifth ? 48 : 16);
	put_half_at(out, c->d);
	put_half_at(out + 2, c->dmin);
	for (int b = 0; b < 8; b++)
		put_scale_min(out + 4, b, c->scale[b], c->minimum[b]);
	for (int i = 0; i < SUPER; i++) {
		uint8_t *byte = low + i / 64 * 32 + i % 32;
		*byte = (uint8_t)(*byte | (c->code[i] & 15) << i / 32 % 2 * 4);
		if (fifth)
			out[16 + i % 32] = (uint8_t)(out[16 + i % 32] | (c->code[i] >> 4) << i / 32);
	}
}

static void write_q6_k(const struct super_codes *c, uint8_t *out)
{
	for (int i = 0; i < SUPER; i++) {
		int q = c->code[i] + 32, part = i / 32;
		uint8_t *low = out + part / 4 * 64 + part % 2 * 32 + i % 32, *high = out + 128 + part / 4 * 32 + i % 32;
		*low = (uint8_t)(*low | (q & 15) << part / 2 % 2 * 4);
		*high = (uint8_t)(*high | (q >> 4) << part % 4 * 2);
	}
	for (int b = 0; b < 16; b++)
		out[192 + b] = (uint8_t)c->scale[b];
	put_half_at(out + 208, c->d);
}

void write_super(uint32_t type, const struct super_codes *c, uint8_t *out)
{
	memset(out, 0, (size_t)quantise_block_bytes(type));
	if (type == TYPE_Q2_K)
		write_q2_k(c, out);
	else if (type == TYPE_Q3_K)
		write_q3_k(c, out);
	else if (type == TYPE_Q6_K)
		write_q6_k(c, out);
	else
		write_q4_q5_k(c, out, type == TYPE_Q5_K);
}
