/* batch.cu owns what comes before a step's arithmetic, and what is done to pages between steps. */
#include "lane.cuh"
#include "block.cuh"

enum { BATCH_THREADS = 256 };

/* sequence_at is the sequence that holds row `token`: rows of sequences follow one another. */
static __device__ int sequence_at(const struct device_batch *b, int token)
{
	int low = 0, high = b->counts->sequences - 1;
	while (low < high) {
		int mid = (low + high + 1) / 2;
		if (b->sequences[mid].first_token <= token)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

/* prepare fills in what the step before sampled, and lists which sequence each row belongs to and where whole
 * rows of logits go. One thread block: the last is a count over all outputs before. */
KERNEL(prepare, BATCH_THREADS)(const struct phase *p)
{
	__shared__ int sums[BATCH_THREADS];
	const struct device_batch *b = p->batch;
	for (int t = threadIdx.x; t < b->counts->tokens; t += BATCH_THREADS) {
		int token = b->tokens[t];
		b->ids[t] = token < 0 && token >= VECTOR_ROWS ? b->results[-1 - token].token : token;
		b->sequence_of[t] = sequence_at(b, t);
	}
	int rows = 0;
	for (int first = 0; first < b->counts->outputs; first += BATCH_THREADS) {
		int i = first + threadIdx.x, total;
		int whole = i < b->counts->outputs && (b->outputs[i].mode & OUTPUT_WHOLE_ROW);
		int before = block_sum_before<BATCH_THREADS>(whole, sums, &total);
		if (i < b->counts->outputs)
			b->whole_row[i] = whole ? rows + before : -1;
		rows += total;
	}
}

/* copy_pages copies whole pages; a page is a multiple of 64 bytes. */
KERNEL(copy_pages, BATCH_THREADS)(const struct copy_pages_args *a)
{
	if (blockIdx.x >= (unsigned)a->count)
		return;
	const int32_t *pair = a->pairs + 2 * blockIdx.x;
	const uint4 *from = (const uint4 *)(a->pages + pair[0] * a->page_bytes);
	uint4 *to = (uint4 *)(a->pages + pair[1] * a->page_bytes);
	for (int64_t i = threadIdx.x; i < a->page_bytes / (int64_t)sizeof *to; i += BATCH_THREADS)
		to[i] = from[i];
}
