/* check.h owns what the kernel tests share: memory of exact sizes, data that hurts, launches on the emulated
 * device, and the comparison with cgo's scalar kernels to the last bit. */
#ifndef CHIMERA_CHECK_H
#define CHIMERA_CHECK_H
#include "../../emulation/block.h"
extern "C" {
#include "../../plan.h"
#include "../../../cgo/kernels.h"
#include "../../interleave.h"
}
#include <random>
#include <string>
#include <vector>

/* A kernel as the linker sees it. */
#define DECLARE(name) extern "C" void name(const void *)

/* ---- random data ---- */

extern std::mt19937_64 random_bits;

int below(int n); /* in [0, n) */
float normal(void);

/* Kinds of floats; every test walks them. */
enum input { NORMAL, ZERO, HIGHEST, ALTERNATING, ILL_CONDITIONED, SUBNORMAL, LARGE, POISONED, INPUTS };
float value_of(enum input kind, int i);

/* ---- memory ---- */

/* Memory of an exact size, so that the address sanitizer sees the first byte beyond. Filled with 0xA5: what a kernel
 * leaves alone is compared too. */
template <typename T> struct memory {
	T *at;
	int64_t count;

	explicit memory(int64_t n) : count(n)
	{
		at = (T *)aligned(n * sizeof(T));
		memset((void *)at, 0xA5, n * sizeof(T));
	}
	memory(int64_t n, enum input kind) : memory(n)
	{
		for (int64_t i = 0; i < n; i++)
			at[i] = (T)value_of(kind, (int)i);
	}
	memory(const memory &other) : memory(other.count) { memcpy((void *)at, other.at, bytes()); }
	memory &operator=(const memory &) = delete;
	~memory() { free(at); }
	int64_t bytes(void) const { return count * (int64_t)sizeof(T); }
	T &operator[](int64_t i) { return at[i]; }
	static void *aligned(int64_t bytes);
};

template <typename T> void *memory<T>::aligned(int64_t bytes)
{
	void *p;
	if (posix_memalign(&p, 64, bytes > 0 ? bytes : 1) != 0)
		abort();
	return p;
}

/* ---- comparison ---- */

/* what names the case under test, for failures. */
extern std::string what;
std::string text(const char *format, ...) __attribute__((format(printf, 1, 2)));

void same_bytes(const char *name, const void *got, const void *want, int64_t bytes);
/* A NaN equals a NaN: its sign and payload are up to the compiler's order of operands. */
void same_floats(const char *name, const float *got, const float *want, int64_t n);

template <typename T> void same(const char *name, const memory<T> &got, const memory<T> &want)
{
	same_bytes(name, got.at, want.at, want.bytes());
}

template <> inline void same(const char *name, const memory<float> &got, const memory<float> &want)
{
	same_floats(name, got.at, want.at, want.count);
}

/* ---- launches ---- */

/* launch runs a kernel to its end; a failure of the emulation ends the test. Threads run in the usual or in reverse
 * order, in turns: a missing barrier that one order hides shows in the other. */
void launch(const char *name, void (*kernel)(const void *), const void *arg, dim3 grid, dim3 block);
#define LAUNCH(name, arg, grid, block) launch(#name, name, arg, grid, block)

/* A batch of what the kernels read, empty at first. */
struct test_batch {
	struct step_counts counts;
	struct device_batch device;
	std::vector<int32_t> tokens, positions, pages, ids, sequence_of, whole_row;
	std::vector<struct sequence_rows> sequences;
	std::vector<struct table> tables; /* (sequences, GROUPS): the kernels' group is the last one */
	std::vector<struct output> outputs;
	std::vector<struct penalty> penalties;
	std::vector<struct bias> biases;
	std::vector<int32_t> targets;
	std::vector<float> vectors;

	enum { GROUPS = 3, GROUP_INDEX = GROUPS - 1 };

	/* add appends a sequence of `count` rows from position `first`, on pages of its own from next_page on: without
	 * those before `base`, and for `length` positions where these are others than the rows'. */
	void add(int first, int count, int *next_page, int base = 0, int length = 0);
	/* done points `device` at all that was added and fills sequence_of, as `prepare` does. */
	void done(void);
};

void test_rows(void);
void test_batches(void);
void test_products(void);
void test_store(void);
void test_attention(void);
void test_sampling(void);
#endif
