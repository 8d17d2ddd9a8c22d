/* kernel_tests.cc owns the tests of threads: barriers, warps, atomics, and what must be caught. */
#include "calls.h"
#include <algorithm>

namespace
{
void tree_sum()
{
	for (const char *settings : {"", "order=reverse;poison=1"}) {
		device d(settings);
		std::vector<float> in(3 * 256);
		for (size_t i = 0; i < in.size(); i++)
			in[i] = (float)i;
		device_pointer out = d.memory(3 * 4);
		GOOD(d.run("tree_sum", 3, 256, {d.holding(in), out, 0, 0}));
		std::vector<float> sums = d.content<float>(out, 3);
		CHECK(sums[0] == 32640 && sums[1] == 32640 + 65536 && sums[2] == 32640 + 2 * 65536);
		CHECK(violations().empty());
	}
}

void coordinates()
{
	device d;
	device_pointer to = d.holding(std::vector<int>(24 * 60));
	device_pointer arg = d.holding(std::vector<job>{{0, 0, to, 0}});
	void *args[] = {&arg};
	GOOD(cuLaunchKernel(d.function("coordinates"), 2, 3, 4, 3, 4, 5, 0, d.stream, args, nullptr));
	std::vector<int> seen = d.content<int>(to, 24 * 60);
	for (int i = 0; i < 24 * 60; i++)
		CHECK(seen[(size_t)i] == 1 + i % 60);
}

void shuffles()
{
	device d;
	device_pointer to = d.memory(8 * 32 * 4);
	GOOD(d.run("shuffles", 1, 32, {0, 0, to, 0}));
	std::vector<int> got = d.content<int>(to, 8 * 32);
	for (int i = 0; i < 32; i++) {
		auto at = [&](int row) { return got[(size_t)(row * 32 + i)]; };
		CHECK(at(0) == 105);
		CHECK(at(1) == 100 + i / 8 * 8 + 3);
		CHECK(at(2) == 100 + (i < 2 ? i : i - 2));
		CHECK(at(3) == 100 + (i % 16 > 13 ? i : i + 2));
		CHECK(at(4) == 100 + (i ^ 9));
		CHECK(at(5) == 0x49249249);
		CHECK(at(6) == 1);
		CHECK(at(7) == 7);
	}
}

void half_warps()
{
	device d;
	device_pointer to = d.memory(32 * 4);
	GOOD(d.run("half_warps", 1, 32, {0, 0, to, 0}));
	std::vector<int> got = d.content<int>(to, 32);
	for (int i = 0; i < 32; i++)
		CHECK(got[(size_t)i] == (i < 16 ? 120 : i + (i ^ 8)));
}

void atomics()
{
	device d;
	device_pointer to = d.holding(std::vector<int>(8)), sum = d.holding(std::vector<float>(1));
	GOOD(d.run("atomics", 1, 64, {0, sum, to, 0}));
	std::vector<int> got = d.content<int>(to, 8);
	CHECK(got[0] == 2016 && got[1] == -7 && got[2] == 63 && got[3] == 64);
	CHECK((unsigned)got[4] == 0xfffffff7u && got[6] == 0 && got[7] == 128);
	CHECK(d.content<float>(sum, 1)[0] == 32);
}

void intrinsics()
{
	device d;
	device_pointer to = d.memory(64), floats = d.memory(8);
	GOOD(d.run("intrinsics", 1, 1, {d.holding(std::vector<float>{0.1f}), floats, to, 0}));
	std::vector<int> got = d.content<int>(to, 11);
	CHECK(got[0] == 10 + 2 + 1 + 127 * 127 + 128 * 128);
	CHECK(got[1] == 10 + 2 + 255 * 255 + 127 * 127 + 128 * 128);
	CHECK(got[2] == 8 && got[3] == 31 && got[4] == 32 && (unsigned)got[5] == 0x80000000u);
	CHECK(got[6] == 2 && got[7] == INT32_MAX && got[8] == 0 && got[9] == 3 && got[10] == 5);
	std::vector<float> f = d.content<float>(floats, 2);
	CHECK(f[0] == -7.4505806e-09f && f[1] == 0);
}

void returns_early()
{
	device d;
	device_pointer to = d.holding(std::vector<int>(1));
	GOOD(d.run("returns_early", 1, 100, {0, 0, to, 37}));
	CHECK(d.content<int>(to, 1)[0] == 37);
}

/* The mistake ends in LAUNCH_FAILED and one violation with these words. */
void caught(const char *kernel, unsigned threads, int count, std::vector<std::string> words)
{
	for (const char *settings : {"", "order=reverse"}) {
		device d(settings);
		device_pointer to = d.holding(std::vector<int>(64));
		ANSWERS(719, d.run(kernel, 1, threads, {0, 0, to, count}));
		words.push_back(std::string("kernel ") + kernel + ", block (0,0,0), thread (");
		CHECK(one_violation(words));
		ANSWERS(719, cuStreamSynchronize(d.stream)); /* for good */
	}
}

void two_barriers() { caught("two_barriers", 64, 10, {"__syncthreads of kernels.cu:", "while thread ("}); }
void barrier_and_shuffle()
{
	caught("barrier_and_shuffle", 64, 10,
	       {"waits at __syncthreads of kernels.cu:", "waits in __shfl_sync, mask ffffffff"});
}
void lone_lane() { caught("lone_lane", 32, 0, {"thread (3,0,0) waits in __syncwarp", "__syncthreads of kernels.cu:"}); }
void masks_differ() { caught("masks_differ", 32, 0, {"__shfl_sync at kernels.cu:", "ffffffff", "fffffff0"}); }
void not_in_mask() { caught("not_in_mask", 32, 0, {"mask 0000ffff, which leaves out its own lane"}); }
void absent_lane()
{
	caught("absent_lane", 20, 0, {"thread (4,0,0): __shfl_down_sync", "reads lane 20, which is absent"});
}
void bad_width() { caught("bad_width", 32, 0, {"width 12: it is a power of two"}); }
void traps() { caught("traps", 32, 21, {"thread (21,0,0): __trap at kernels.cu:"}); }

void wild()
{
	device d;
	device_pointer out = d.memory(256);
	ANSWERS(700, d.run("wild", 1, 32, {0, out, 0, 100})); /* in the page behind */
	CHECK(one_violation({"kernel wild, block (0,0,0), thread (5,0,0): reads or writes address 0x"}));
	ANSWERS(700, cuMemFree_v2(out));
	device again; /* the process lives, and so does the emulation */
	device_pointer in = again.holding(std::vector<float>{1, 2}), to = again.memory(8);
	GOOD(again.run("scale", 1, 2, {in, to, 0, 2}));
	CHECK(again.content<float>(to, 2)[1] == 4);
}

/* What one order of threads hides the other shows. */
void forgotten_barrier()
{
	bool differs = false;
	for (const char *settings : {"poison=1", "order=reverse;poison=1"}) {
		device d(settings);
		device_pointer to = d.memory(64 * 4);
		GOOD(d.run("forgets_barrier", 1, 64, {0, 0, to, 0}));
		std::vector<int> got = d.content<int>(to, 64);
		for (int i = 0; i < 64; i++)
			differs = differs || got[(size_t)i] != (i + 63) % 64;
	}
	CHECK(differs);
}

void unwritten_shared_memory()
{
	device d("poison=1");
	device_pointer out = d.memory(64 * 4);
	GOOD(d.run("reads_unwritten", 1, 64, {0, out, 0, 0}));
	for (float x : d.content<float>(out, 64))
		CHECK(x != x);
}
/* The place of each of 6 x 4 blocks in the order that they run in. */
std::vector<int> tickets(const std::string &settings)
{
	device d(settings.c_str());
	device_pointer to = d.holding(std::vector<int>(25)), arg = d.holding(std::vector<job>{{0, 0, to, 0}});
	void *args[] = {&arg};
	GOOD(cuLaunchKernel(d.function("takes_a_ticket"), 6, 4, 1, 1, 1, 1, 0, d.stream, args, nullptr));
	std::vector<int> got = d.content<int>(to, 24), sorted = got;
	std::sort(sorted.begin(), sorted.end());
	for (int i = 0; i < 24; i++)
		CHECK(sorted[(size_t)i] == i); /* each runs once */
	return got;
}

/* Blocks run in any order: always the same for a seed, another for another, x fastest for none. */
void order_of_blocks()
{
	std::vector<int> ascending(24);
	for (int i = 0; i < 24; i++)
		ascending[(size_t)i] = i;
	CHECK(tickets("seed=0") == ascending);
	CHECK(tickets("") == tickets("seed=1") && tickets("") != ascending);
	CHECK(tickets("seed=2") == tickets("seed=2") && tickets("seed=2") != tickets("seed=1"));
}

void seed_is_named()
{
	device d("seed=77");
	ANSWERS(719, d.run("traps", 1, 32, {0, 0, 0, 21}));
	CHECK(one_violation({"__trap at kernels.cu:", " (blocks in the order of seed 77)"}));
}

/* A launch beyond what the device or the kernel's __launch_bounds__ allows is refused, and does nothing. */
void limits_of_launches()
{
	device d;
	device_pointer to = d.holding(std::vector<int>(64)), arg = d.holding(std::vector<job>{{0, 0, to, 0}});
	void *args[] = {&arg};
	handle f = d.function("bounded"), free = d.function("atomics");
	GOOD(cuLaunchKernel(f, 1, 1, 1, 4, 4, 4, 0, d.stream, args, nullptr));
	CHECK(violations().empty());
	ANSWERS(1, cuLaunchKernel(f, 1, 1, 1, 65, 1, 1, 0, d.stream, args, nullptr));
	CHECK(one_violation({"use: ", "bounded (1,1,1) x (65,1,1)", "; its __launch_bounds__ are 64 threads, not 65"}));
	for (std::vector<unsigned> n : std::vector<std::vector<unsigned>>{{0, 1, 1, 1, 1, 1},
	                                                                  {1, 1, 0, 1, 1, 1},
	                                                                  {1, 1, 1, 0, 1, 1},
	                                                                  {1, 65536, 1, 1, 1, 1},
	                                                                  {1, 1, 65536, 1, 1, 1},
	                                                                  {1u << 31, 1, 1, 1, 1, 1},
	                                                                  {1, 1, 1, 1025, 1, 1},
	                                                                  {1, 1, 1, 32, 33, 1},
	                                                                  {1, 1, 1, 1, 1, 65}})
		ANSWERS(1, cuLaunchKernel(free, n[0], n[1], n[2], n[3], n[4], n[5], 0, d.stream, args, nullptr));
	ANSWERS(801, cuLaunchKernel(free, 1, 1, 1, 1, 1, 1, 4, d.stream, args, nullptr)); /* dynamic shared memory */
}

/* What is not a fatbin from its first byte to its last is not loaded. */
void no_fatbin()
{
	device d;
	const std::vector<uint32_t> good = {0xba55ed50u, 0x00100001u, 40, 0, 0x01010002u, 16, 4,
	                                    0,           7,           0x01010001u, 16, 4, 0, 9};
	handle m;
	/* the whole, then what has a wrong word: magic, version, length, kind, a part's header, a part's length */
	std::vector<std::pair<size_t, uint32_t>> wrong = {{0, 0x464c457fu}, {1, 0x00100002u}, {1, 0x00200001u}, {2, 0},
	                                                  {2, 39},          {2, 44},          {3, 1},           {4, 0x01010003u},
	                                                  {5, 8},           {5, 1u << 31},    {6, 0},           {7, 1},
	                                                  {9, 0x01010000u}, {11, 5}};
	GOOD(cuModuleLoadData(&m, good.data()));
	for (auto [at, word] : wrong) {
		std::vector<uint32_t> image = good;
		image[at] = word;
		image.resize(64);
		ANSWERS(200, cuModuleLoadData(&m, image.data()));
	}
	ANSWERS(200, cuModuleLoadData(&m, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
}
} // namespace

const test kernel_tests[] = {{"tree_sum", tree_sum},
                             {"coordinates", coordinates},
                             {"shuffles", shuffles},
                             {"half_warps", half_warps},
                             {"atomics", atomics},
                             {"intrinsics", intrinsics},
                             {"returns_early", returns_early},
                             {"two_barriers", two_barriers},
                             {"barrier_and_shuffle", barrier_and_shuffle},
                             {"lone_lane", lone_lane},
                             {"masks_differ", masks_differ},
                             {"not_in_mask", not_in_mask},
                             {"absent_lane", absent_lane},
                             {"bad_width", bad_width},
                             {"traps", traps},
                             {"wild", wild},
                             {"forgotten_barrier", forgotten_barrier},
                             {"unwritten_shared_memory", unwritten_shared_memory},
                             {"order_of_blocks", order_of_blocks},
                             {"seed_is_named", seed_is_named},
                             {"limits_of_launches", limits_of_launches},
                             {"no_fatbin", no_fatbin},
                             {nullptr, nullptr}};
