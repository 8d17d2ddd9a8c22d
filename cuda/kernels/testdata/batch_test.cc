/* batch_test.cc owns the tests of what frames a step: prepare, and copies of pages. */
#include "check.h"

DECLARE(prepare);
DECLARE(copy_pages);

/* A batch of random sequences; some tokens are what an output of the step before sampled. */
static void test_prepare(int sequences, int outputs)
{
	struct test_batch b = {};
	int page = 0, rows = 0;
	what = text("prepare of %d sequences, %d outputs", sequences, outputs);
	for (int s = 0; s < sequences; s++)
		b.add(below(40), 1 + (below(3) ? 0 : below(30)), &page);
	for (int i = 0; i < outputs; i++) {
		b.outputs.push_back({});
		b.outputs[i].mode = below(3) ? OUTPUT_SAMPLE : OUTPUT_SAMPLE | OUTPUT_WHOLE_ROW;
	}
	memory<struct result> results(outputs + 1);
	for (int i = 0; i <= outputs; i++)
		results[i].token = 1000 + i;
	for (int32_t &token : b.tokens)
		token = below(2) ? below(1000) : below(4) ? -1 - below(outputs + 1) : INT32_MIN + below(1000);
	b.done();
	memory<int32_t> ids(b.counts.tokens + 1), sequence_of(ids), whole_row(outputs + 1), want_ids(ids),
	        want_sequence(ids), want_whole(whole_row);
	for (int t = 0; t < b.counts.tokens; t++) {
		bool sampled = b.tokens[t] < 0 && b.tokens[t] >= VECTOR_ROWS;
		want_ids[t] = sampled ? results[-1 - b.tokens[t]].token : b.tokens[t];
		want_sequence[t] = b.sequence_of[t];
	}
	for (int i = 0; i < outputs; i++)
		want_whole[i] = b.outputs[i].mode & OUTPUT_WHOLE_ROW ? rows++ : -1;
	b.device.ids = ids.at;
	b.device.sequence_of = sequence_of.at;
	b.device.whole_row = whole_row.at;
	b.device.results = results.at;
	struct phase p = {};
	p.batch = &b.device;
	LAUNCH(prepare, &p, dim3(1), dim3(256));
	same("ids", ids, want_ids);
	same("sequence of", sequence_of, want_sequence);
	same("whole row", whole_row, want_whole);
}

static void test_copies(int64_t page_bytes)
{
	enum { PAGES = 7, PAIRS = 3 };
	what = text("copies of pages of %lld bytes", (long long)page_bytes);
	memory<uint8_t> pages(PAGES * page_bytes), want(pages);
	int32_t pairs[PAIRS][2] = {{0, 6}, {3, 1}, {0, 2}};
	for (int64_t i = 0; i < pages.count; i++)
		want[i] = pages[i] = (uint8_t)random_bits();
	for (auto &pair : pairs)
		memcpy(want.at + pair[1] * page_bytes, want.at + pair[0] * page_bytes, page_bytes);
	struct copy_pages_args a = {pages.at, page_bytes, &pairs[0][0], PAIRS, 0};
	LAUNCH(copy_pages, &a, dim3(PAIRS + 1), dim3(256));
	same("pages", pages, want);
}

void test_batches(void)
{
	for (int sequences : {1, 2, 17, 300})
		for (int outputs : {0, 1, 255, 256, 700})
			test_prepare(sequences, outputs);
	for (int64_t bytes : {64, 4096, 64 * 1001})
		test_copies(bytes);
}
