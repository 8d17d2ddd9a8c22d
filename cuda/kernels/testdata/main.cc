/* main.cc owns the run: each family of kernels against the CPU's scalar ones. Arguments choose families. */
#include "check.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

std::mt19937_64 random_bits(20261128);
std::string what;
static int failures, compared, launches;

int below(int n) { return (int)(random_bits() % (uint64_t)n); }

float normal(void)
{
	static std::normal_distribution<double> distribution;
	return (float)distribution(random_bits);
}

static float poisoned(void)
{
	switch (below(12)) {
	case 0:
		return NAN;
	case 1:
		return INFINITY;
	case 2:
		return -INFINITY;
	case 3:
		return 3e38f;
	case 4:
		return 1e-45f;
	case 5:
		return -0.0f;
	default:
		return normal();
	}
}

float value_of(enum input kind, int i)
{
	switch (kind) {
	case NORMAL:
		return normal();
	case ZERO:
		return 0.0f;
	case HIGHEST:
		return 127.0f;
	case ALTERNATING:
		return i % 2 ? -127.0f : 127.0f;
	case ILL_CONDITIONED:
		return normal() * expf(10.0f * normal());
	case SUBNORMAL:
		return normal() * 1e-40f;
	case LARGE:
		return normal() * 1e18f;
	default:
		return poisoned();
	}
}

std::string text(const char *format, ...)
{
	char buffer[512];
	va_list args;
	va_start(args, format);
	vsnprintf(buffer, sizeof buffer, format, args);
	va_end(args);
	return buffer;
}

static void fail(const std::string &why)
{
	printf("%s: %s\n", what.c_str(), why.c_str());
	if (++failures == 20)
		exit(1);
}

void same_bytes(const char *name, const void *got, const void *want, int64_t bytes)
{
	const uint8_t *g = (const uint8_t *)got, *w = (const uint8_t *)want;
	compared++;
	for (int64_t i = 0; i < bytes; i++)
		if (g[i] != w[i])
			return fail(text("%s: byte %lld of %lld is %02x, the CPU's is %02x", name, (long long)i,
			                 (long long)bytes, g[i], w[i]));
}

void same_floats(const char *name, const float *got, const float *want, int64_t n)
{
	compared++;
	for (int64_t i = 0; i < n; i++)
		if (memcmp(got + i, want + i, sizeof *got) != 0 && (got[i] == got[i] || want[i] == want[i]))
			return fail(text("%s: element %lld of %lld is %.9g, the CPU's is %.9g", name, (long long)i,
			                 (long long)n, got[i], want[i]));
}

void launch(const char *name, void (*kernel)(const void *), const void *arg, dim3 grid, dim3 block)
{
	struct emulation_launch l = {name, kernel, grid, block, arg};
	emulation.reverse = launches++ % 2;
	emulation.seed = (uint64_t)launches; /* another order of blocks for each */
	emulation.poison_shared = true;
	struct emulation_result r = emulation_run(&l);
	if (r.outcome != EMULATION_OK) {
		printf("%s: %s\n", what.c_str(), r.text);
		exit(1);
	}
}

void test_batch::add(int first, int count, int *next_page, int base, int length)
{
	if (length == 0)
		length = first + count;
	int needed = (length + PAGE_TOKENS - 1) / PAGE_TOKENS - base;
	sequences.push_back({(int32_t)positions.size(), count, 0, 0});
	for (int g = 0; g < GROUP_INDEX; g++) /* of other groups: to be left alone */
		tables.push_back({1 << 30, 1 << 30, 1 << 30, 1 << 30});
	tables.push_back({(int32_t)pages.size(), needed, base, length});
	for (int i = 0; i < count; i++) {
		tokens.push_back(0);
		positions.push_back(first + i);
	}
	for (int i = 0; i < needed; i++)
		pages.push_back((*next_page)++);
}

void test_batch::done(void)
{
	counts = {(int32_t)tokens.size(), (int32_t)sequences.size(), (int32_t)outputs.size(), counts.max_top};
	sequence_of.clear();
	for (size_t s = 0; s < sequences.size(); s++)
		sequence_of.insert(sequence_of.end(), sequences[s].token_count, (int32_t)s);
	ids = tokens;
	whole_row.assign(outputs.size(), -1);
	device.counts = &counts;
	device.tokens = tokens.data();
	device.positions = positions.data();
	device.pages = pages.data();
	device.sequences = sequences.data();
	device.tables = tables.data();
	device.targets = targets.data();
	device.vectors = vectors.data();
	device.outputs = outputs.data();
	device.penalties = penalties.data();
	device.biases = biases.data();
	device.ids = ids.data();
	device.sequence_of = sequence_of.data();
	device.whole_row = whole_row.data();
}

static const struct {
	const char *name;
	void (*run)(void);
} families[] = {{"rows", test_rows},   {"batches", test_batches},     {"products", test_products},
                {"store", test_store}, {"attention", test_attention}, {"sampling", test_sampling}};

static bool chosen(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(name, argv[i]) == 0)
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	for (const auto &f : families)
		if (chosen(f.name, argc, argv))
			f.run();
	printf("%d launches, %d arrays compared with the scalar kernels, %d differ\n", launches, compared, failures);
	return failures > 0 || compared == 0;
}
