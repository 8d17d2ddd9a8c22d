/* stream_tests.cc owns the tests of memory, streams and events: work runs late, and what relies on more is caught. */
#include "calls.h"
#include <math.h>

namespace
{
bool all(const char *p, size_t n, int value)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] != value)
			return false;
	return true;
}

void copies_show_what_is_not_there()
{
	device d;
	char *from = d.host(1000), *to = d.host(1000);
	device_pointer at = d.memory(1000);
	handle done = d.event();
	memset(from, 7, 1000);
	GOOD(cuMemcpyHtoDAsync_v2(at, from, 1000, d.stream));
	GOOD(cuMemcpyDtoHAsync_v2(to, at, 1000, d.stream));
	GOOD(cuEventRecord(done, d.stream));
	CHECK(all(to, 1000, 0xdb));
	GOOD(cuEventSynchronize(done));
	CHECK(all(to, 1000, 7));
	CHECK(violations().empty());
}

void source_written_too_early()
{
	device d;
	char *from = d.host(64);
	device_pointer at = d.memory(64);
	GOOD(cuMemcpyHtoDAsync_v2(at, from, 64, d.stream));
	from[63]++;
	GOOD(cuStreamSynchronize(d.stream));
	CHECK(one_violation(
	        {"order: the source of the copy of 64 bytes from 0x", "was written before the copy was done"}));
}

void destination_written_too_early()
{
	device d;
	char *to = d.host(64);
	device_pointer at = d.memory(64);
	GOOD(cuMemcpyDtoHAsync_v2(to, at, 64, d.stream));
	to[0] = 0;
	GOOD(cuStreamSynchronize(d.stream));
	CHECK(one_violation(
	        {"order: the destination of the copy of 64 bytes to 0x", "was written before the copy was done"}));
}

void only_what_a_wait_needs()
{
	device d;
	handle other = d.another_stream(), first = d.event(), second = d.event();
	char *a = d.host(8), *b = d.host(8), *c = d.host(8);
	device_pointer at = d.memory(8);
	GOOD(cuMemsetD8Async(at, 1, 8, d.stream));
	GOOD(cuMemcpyDtoHAsync_v2(a, at, 8, d.stream));
	GOOD(cuEventRecord(first, d.stream));
	GOOD(cuMemcpyDtoHAsync_v2(b, at, 8, d.stream));
	GOOD(cuMemcpyDtoHAsync_v2(c, at, 8, other));
	GOOD(cuStreamWaitEvent(other, first, 0));
	GOOD(cuEventRecord(second, other));
	GOOD(cuEventSynchronize(first));
	CHECK(all(a, 8, 1) && all(b, 8, 0xdb) && all(c, 8, 0xdb));
	GOOD(cuEventSynchronize(second));
	CHECK(all(b, 8, 0xdb) && all(c, 8, 1));
	GOOD(cuCtxSynchronize());
	CHECK(all(b, 8, 1));
}

void a_forgotten_wait_reads_nothing()
{
	for (bool waits : {false, true}) {
		device d;
		handle upload = d.another_stream(), ready = d.event();
		float *from = (float *)d.host(8);
		from[0] = from[1] = 21;
		device_pointer in = d.memory(8), out = d.memory(8);
		device_pointer arg = d.holding(std::vector<job>{{in, out, 0, 2}});
		GOOD(cuMemcpyHtoDAsync_v2(in, from, 8, upload));
		GOOD(cuEventRecord(ready, upload));
		if (waits)
			GOOD(cuStreamWaitEvent(d.stream, ready, 0));
		GOOD(d.launch("scale", 1, 2, arg));
		float got = d.content<float>(out, 1)[0];
		CHECK(waits ? got == 42 : isnan(got));
	}
}

void a_wait_is_for_the_record_before_it()
{
	device d;
	handle other = d.another_stream(), e = d.event(), done = d.event();
	char *to = d.host(1);
	device_pointer at = d.memory(1);
	GOOD(cuMemsetD8Async(at, 1, 1, d.stream));
	GOOD(cuEventRecord(e, d.stream));
	GOOD(cuStreamWaitEvent(other, e, 0));
	GOOD(cuMemsetD8Async(at, 2, 1, d.stream));
	GOOD(cuEventRecord(e, d.stream));
	GOOD(cuMemcpyDtoHAsync_v2(to, at, 1, other));
	GOOD(cuEventRecord(done, other));
	GOOD(cuEventSynchronize(done));
	CHECK(to[0] == 1);
}

void events_are_not_ready_for_a_while()
{
	device d("queries=3");
	handle e = d.event();
	GOOD(cuEventQuery(e)); /* never recorded */
	GOOD(cuMemsetD8Async(d.memory(1), 1, 1, d.stream));
	GOOD(cuEventRecord(e, d.stream));
	for (int i = 0; i < 3; i++)
		ANSWERS(600, cuEventQuery(e));
	GOOD(cuEventQuery(e));
	CHECK(violations().empty());
}

void the_default_stream_waits_for_blocking_ones()
{
	device d;
	handle blocking = d.another_stream(0);
	char *to = d.host(2);
	device_pointer at = d.memory(2);
	GOOD(cuMemsetD8Async(at, 5, 2, blocking));
	GOOD(cuMemsetD8Async(at, 6, 1, nullptr));
	GOOD(cuMemcpyDtoHAsync_v2(to, at, 2, blocking));
	GOOD(cuStreamSynchronize(blocking));
	CHECK(to[0] == 6 && to[1] == 5);
	GOOD(cuMemsetD8Async(at, 7, 2, nullptr));
	GOOD(cuMemcpyDtoHAsync_v2(to, at, 2, d.stream)); /* does not wait for it */
	GOOD(cuStreamSynchronize(d.stream));
	CHECK(to[0] == 6 && to[1] == 5);
}

void pageable_memory_is_not_waited_for()
{
	device d;
	std::vector<char> from(100, 9), to(100);
	device_pointer at = d.memory(100);
	GOOD(cuMemcpyHtoDAsync_v2(at, from.data(), 100, d.stream));
	memset(from.data(), 1, 100); /* it has been read */
	GOOD(cuMemcpyDtoHAsync_v2(to.data(), at, 100, d.stream));
	CHECK(all(to.data(), 100, 9));
	fake_cuda_counts counts;
	fake_cuda_count(&counts);
	CHECK(counts.pageable_copies == 2 && violations().empty());
	GOOD(cuMemHostRegister_v2(to.data(), 100, 1));
	GOOD(cuMemcpyDtoHAsync_v2(to.data(), at, 100, d.stream));
	CHECK(all(to.data(), 100, 0xdb)); /* pinned, it is */
	GOOD(cuStreamSynchronize(d.stream));
	GOOD(cuMemHostUnregister(to.data()));
	CHECK(violations().empty());
}

void memory_holds_nans_until_written()
{
	device d;
	for (float x : d.content<float>(d.memory(400), 100))
		CHECK(isnan(x));
	float *host = (float *)d.host(400);
	for (int i = 0; i < 100; i++)
		CHECK(isnan(host[i]));
}

void frees()
{
	device d;
	device_pointer a = d.memory(10), b = d.memory(10);
	GOOD(cuMemFree_v2(0));
	GOOD(cuMemFree_v2(a));
	ANSWERS(1, cuMemFree_v2(a));
	CHECK(one_violation({"use: call ", "cuMemFree_v2: CUDA_ERROR_INVALID_VALUE: 0x", "is free already"}));
	ANSWERS(1, cuMemFree_v2(b + 1));
	void *host = d.host(10);
	GOOD(cuMemFreeHost(host));
	ANSWERS(1, cuMemFreeHost(host));
	std::vector<char> ours(100);
	ANSWERS(713, cuMemHostUnregister(ours.data()));
	GOOD(cuMemHostRegister_v2(ours.data(), 100, 0));
	ANSWERS(712, cuMemHostRegister_v2(ours.data() + 50, 100, 0));
}

void freed_while_in_use()
{
	device d;
	char *from = d.host(64);
	device_pointer at = d.memory(64);
	GOOD(cuMemcpyHtoDAsync_v2(at, from, 64, d.stream));
	GOOD(cuMemFree_v2(at));
	CHECK(one_violation({"order: 64 bytes at 0x", "go before the work that call"}));
	ANSWERS(700, cuStreamSynchronize(d.stream));
	device again;
	from = again.host(64);
	GOOD(cuMemcpyHtoDAsync_v2(again.memory(64), from, 64, again.stream));
	GOOD(cuMemFreeHost(from));
	CHECK(one_violation({"order: 64 bytes at 0x"}));
	ANSWERS(700, cuStreamSynchronize(again.stream));
}

void copies_stay_in_bounds()
{
	device d;
	device_pointer at = d.memory(100);
	char *host = d.host(100);
	ANSWERS(1, cuMemcpyHtoDAsync_v2(at, host, 101, d.stream));
	ANSWERS(1, cuMemcpyHtoDAsync_v2(at + 1, host, 100, d.stream));
	ANSWERS(1, cuMemcpyDtoHAsync_v2(host + 1, at, 100, d.stream));
	ANSWERS(1, cuMemcpyDtoDAsync_v2(at, at - 1, 2, d.stream));
	ANSWERS(1, cuMemsetD8Async(at, 0, 101, d.stream));
	ANSWERS(1, cuMemcpyDtoHAsync_v2(nullptr, at, 1, d.stream));
	GOOD(cuMemFree_v2(at));
	ANSWERS(1, cuMemsetD8Async(at, 0, 1, d.stream));
}

void launches_are_checked()
{
	device d;
	device_pointer arg = d.holding(std::vector<job>{{0, 0, 0, 0}});
	void *args[] = {&arg};
	handle f = d.function("scale");
	ANSWERS(1, cuLaunchKernel(f, 0, 1, 1, 1, 1, 1, 0, d.stream, args, nullptr));
	ANSWERS(1, cuLaunchKernel(f, 1, 1, 1, 1025, 1, 1, 0, d.stream, args, nullptr));
	ANSWERS(1, cuLaunchKernel(f, 1, 1, 1, 64, 32, 1, 0, d.stream, args, nullptr));
	ANSWERS(1, cuLaunchKernel(f, 1, 70000, 1, 1, 1, 1, 0, d.stream, args, nullptr));
	ANSWERS(1, cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, d.stream, nullptr, nullptr));
	ANSWERS(400, cuLaunchKernel(args, 1, 1, 1, 1, 1, 1, 0, d.stream, args, nullptr));
	ANSWERS(400, cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, args, args, nullptr));
	arg = 0x1000;
	GOOD(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, d.stream, args, nullptr)); /* found when it runs */
	ANSWERS(700, cuStreamSynchronize(d.stream));
	CHECK(violations().find("kernel scale, call ") != std::string::npos);
	CHECK(violations().find("argument 0x1000 is no living device memory") != std::string::npos);
	device again;
	arg = again.memory(64) + 4;
	GOOD(again.launch("scale", 1, 1, arg));
	ANSWERS(716, cuStreamSynchronize(again.stream));
}

void writes_beside_memory_are_found()
{
	device d;
	device_pointer out = d.memory(100);
	GOOD(d.run("writes_behind", 1, 1, {0, out, 0, 25}));
	CHECK(violations().empty());
	GOOD(cuMemFree_v2(out));
	CHECK(one_violation({"use: 100 bytes at 0x", "were written behind their end or start"}));
}

void contexts_are_kept_apart()
{
	device d("devices=2");
	handle other, got;
	device_pointer at = d.memory(10);
	handle f = d.function("scale"), e = d.event();
	GOOD(cuDevicePrimaryCtxRetain(&other, 1));
	GOOD(cuCtxPushCurrent_v2(other));
	GOOD(cuCtxGetCurrent(&got));
	CHECK(got == other);
	ANSWERS(400, cuMemsetD8Async(at, 0, 1, d.stream));
	ANSWERS(1, cuMemFree_v2(at));
	handle theirs = d.another_stream();
	void *args[] = {&at};
	ANSWERS(400, cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, theirs, args, nullptr));
	ANSWERS(400, cuEventRecord(e, theirs));
	size_t free, total;
	GOOD(cuMemGetInfo_v2(&free, &total));
	CHECK(free == total); /* this device's */
	GOOD(cuCtxPopCurrent_v2(&got));
	CHECK(got == other);
	GOOD(cuMemFree_v2(at));
	GOOD(cuCtxSetCurrent(nullptr));
	ANSWERS(201, cuMemAlloc_v2(&at, 10));
	GOOD(cuDevicePrimaryCtxRelease_v2(0));
	ANSWERS(201, cuCtxSetCurrent(d.context));
	ANSWERS(201, cuDevicePrimaryCtxRelease_v2(0));
}

void stale_handles_are_known()
{
	device d;
	handle e = d.event(), s = d.another_stream(), f = d.function("scale");
	device_pointer arg = d.memory(64);
	GOOD(cuEventDestroy_v2(e));
	ANSWERS(400, cuEventDestroy_v2(e));
	ANSWERS(400, cuEventRecord(e, d.stream));
	GOOD(cuStreamDestroy_v2(s));
	ANSWERS(400, cuStreamSynchronize(s));
	GOOD(cuModuleUnload(d.module));
	ANSWERS(400, cuModuleUnload(d.module));
	void *args[] = {&arg};
	ANSWERS(400, cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, d.stream, args, nullptr));
}

void a_destroyed_stream_ends_its_work()
{
	device d;
	handle s = d.another_stream(), e = d.event();
	char *to = d.host(4);
	device_pointer at = d.memory(4);
	GOOD(cuMemsetD8Async(at, 3, 4, s));
	GOOD(cuMemcpyDtoHAsync_v2(to, at, 4, s));
	GOOD(cuEventRecord(e, s));
	GOOD(cuStreamDestroy_v2(s));
	GOOD(cuEventSynchronize(e));
	CHECK(all(to, 4, 3));
}

/* Time is taken between two events that have both come, and not of one that was made without. */
void events_take_the_time()
{
	device d;
	handle begin, end, none = d.event();
	GOOD(cuEventCreate(&begin, 0));
	GOOD(cuEventCreate(&end, 0));
	float ms = -1;
	ANSWERS(400, cuEventElapsedTime_v2(&ms, begin, end)); /* never recorded */
	device_pointer to = d.memory(4096 * 4);
	GOOD(cuEventRecord(begin, d.stream));
	GOOD(cuMemsetD8Async(to, 1, 4096 * 4, d.stream));
	GOOD(cuEventRecord(end, d.stream));
	GOOD(cuEventRecord(none, d.stream));
	ANSWERS(600, cuEventElapsedTime_v2(&ms, begin, end));
	GOOD(cuStreamSynchronize(d.stream));
	GOOD(cuEventElapsedTime_v2(&ms, begin, end));
	CHECK(ms > 0 && ms < 60000);
	ANSWERS(400, cuEventElapsedTime_v2(&ms, begin, none));
	ANSWERS(1, cuEventElapsedTime_v2(nullptr, begin, end));
}
} // namespace

const test stream_tests[] = {{"copies_show_what_is_not_there", copies_show_what_is_not_there},
                             {"source_written_too_early", source_written_too_early},
                             {"destination_written_too_early", destination_written_too_early},
                             {"only_what_a_wait_needs", only_what_a_wait_needs},
                             {"a_forgotten_wait_reads_nothing", a_forgotten_wait_reads_nothing},
                             {"a_wait_is_for_the_record_before_it", a_wait_is_for_the_record_before_it},
                             {"events_are_not_ready_for_a_while", events_are_not_ready_for_a_while},
                             {"the_default_stream_waits_for_blocking_ones", the_default_stream_waits_for_blocking_ones},
                             {"pageable_memory_is_not_waited_for", pageable_memory_is_not_waited_for},
                             {"memory_holds_nans_until_written", memory_holds_nans_until_written},
                             {"frees", frees},
                             {"freed_while_in_use", freed_while_in_use},
                             {"copies_stay_in_bounds", copies_stay_in_bounds},
                             {"launches_are_checked", launches_are_checked},
                             {"writes_beside_memory_are_found", writes_beside_memory_are_found},
                             {"contexts_are_kept_apart", contexts_are_kept_apart},
                             {"stale_handles_are_known", stale_handles_are_known},
                             {"a_destroyed_stream_ends_its_work", a_destroyed_stream_ends_its_work},
                             {"events_take_the_time", events_take_the_time},
                             {nullptr, nullptr}};
