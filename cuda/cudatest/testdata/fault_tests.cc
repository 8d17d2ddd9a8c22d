/* fault_tests.cc owns the tests of faults, settings, counts and the log. */
#include "calls.h"
#include <chrono>
#include <thread>

namespace
{
fake_cuda_counts counted()
{
	fake_cuda_counts c;
	fake_cuda_count(&c);
	return c;
}

void configure(const char *text)
{
	const char *wrong = fake_cuda_configure(text);
	if (wrong)
		fail(__FILE__, __LINE__, wrong);
}

long milliseconds_since(std::chrono::steady_clock::time_point start)
{
	return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count();
}

void the_nth_call_fails()
{
	device d;
	device_pointer p;
	configure("fault=cuMemAlloc_v2:2:2");
	GOOD(cuMemAlloc_v2(&p, 8));
	ANSWERS(2, cuMemAlloc_v2(&p, 8));
	GOOD(cuMemAlloc_v2(&p, 8));
	configure("fault=*:3:46");
	GOOD(cuMemAlloc_v2(&p, 8));
	GOOD(cuMemFree_v2(p));
	ANSWERS(46, cuCtxSynchronize());
	GOOD(cuCtxSynchronize());
	configure("fault=cuCtxSynchronize:0:1");
	ANSWERS(1, cuCtxSynchronize());
	ANSWERS(1, cuCtxSynchronize());
	fake_cuda_restore();
	GOOD(cuCtxSynchronize());
	CHECK(violations().empty()); /* what was injected is nobody's mistake */
}

void what_poisons_stays()
{
	for (int code : {700, 714, 715, 719, 999}) {
		device d;
		device_pointer p = d.memory(8);
		char *host = d.host(8);
		handle again;
		configure(("fault=cuMemcpyDtoHAsync_v2:1:" + std::to_string(code)).c_str());
		ANSWERS(code, cuMemcpyDtoHAsync_v2(host, p, 8, d.stream));
		ANSWERS(code, cuMemFree_v2(p));
		ANSWERS(code, cuStreamSynchronize(d.stream));
		ANSWERS(code, cuDevicePrimaryCtxRetain(&again, 0));
		GOOD(cuDevicePrimaryCtxRelease_v2(0));
		CHECK(counted().device_bytes == 0 && counted().host_bytes == 0 && counted().streams == 0);
		CHECK(counted().abandoned == 0); /* a poisoned context cannot be tidied up */
		CHECK(violations().empty());
	}
}

/* A kernel's fault shows in the call that waits for it, and nothing after it runs. */
void kernels_fail_late()
{
	device d;
	device_pointer in = d.holding(std::vector<float>{1, 2}), out = d.holding(std::vector<float>{0, 0});
	device_pointer arg = d.holding(std::vector<job>{{in, out, 0, 2}});
	handle e = d.event();
	char *host = d.host(8);
	configure("fault=kernel/scale:2:719");
	GOOD(d.launch("scale", 1, 2, arg));
	GOOD(d.launch("scale", 1, 2, arg));
	GOOD(cuMemcpyDtoHAsync_v2(host, out, 8, d.stream));
	GOOD(cuEventRecord(e, d.stream));
	ANSWERS(719, cuEventSynchronize(e));
	CHECK((unsigned char)host[0] == 0xdb);
	device again;
	arg = again.memory(sizeof(job));
	configure("fault=kernel/:1:700");
	GOOD(again.launch("increment", 1, 1, arg));
	ANSWERS(700, cuCtxSynchronize());
}

void calls_hang_alone()
{
	device d;
	configure("fault=cuCtxSynchronize:1:0:300;fault=cuMemGetInfo_v2:1:46:50");
	auto start = std::chrono::steady_clock::now();
	std::thread hung([&] {
		GOOD(cuCtxSetCurrent(d.context));
		GOOD(cuCtxSynchronize());
	});
	size_t free, total;
	std::this_thread::sleep_for(std::chrono::milliseconds(30));
	ANSWERS(46, cuMemGetInfo_v2(&free, &total));
	CHECK(milliseconds_since(start) >= 80 && milliseconds_since(start) < 290);
	hung.join();
	CHECK(milliseconds_since(start) >= 300);
}

void devices_as_configured()
{
	device d("devices=3;names=A|B;memory=3G;capability=8.6;driver=12040");
	int n, version;
	char text[64];
	size_t bytes, free;
	GOOD(cuDriverGetVersion(&version));
	GOOD(cuDeviceGetCount(&n));
	CHECK(n == 3 && version == 12040);
	ANSWERS(101, cuDeviceGet(&n, 3));
	for (int i = 0; i < 3; i++) {
		int device, major, minor;
		GOOD(cuDeviceGet(&device, i));
		GOOD(cuDeviceGetName(text, sizeof text, device));
		CHECK(strcmp(text, i ? "B" : "A") == 0);
		GOOD(cuDeviceGetPCIBusId(text, sizeof text, device));
		CHECK(strcmp(text, ("0000:0" + std::to_string(i + 1) + ":00.0").c_str()) == 0);
		GOOD(cuDeviceGetUuid(text, device));
		CHECK(text[15] == i);
		GOOD(cuDeviceGetAttribute(&major, 75, device));
		GOOD(cuDeviceGetAttribute(&minor, 76, device));
		CHECK(major == 8 && minor == 6);
		GOOD(cuDeviceTotalMem_v2(&bytes, device));
		CHECK(bytes == (size_t)3 << 30);
	}
	configure("memory=1M");
	device_pointer p;
	ANSWERS(2, cuMemAlloc_v2(&p, (1 << 20) + 1));
	GOOD(cuMemAlloc_v2(&p, 1 << 19));
	ANSWERS(2, cuMemAlloc_v2(&p, (1 << 19) + 1));
	GOOD(cuMemGetInfo_v2(&free, &bytes));
	CHECK(free == 1 << 19 && bytes == 1 << 20);
}

void no_device()
{
	int n;
	fake_cuda_reset();
	configure("devices=0");
	ANSWERS(3, cuDeviceGetCount(&n));
	ANSWERS(100, cuInit(0));
	configure("devices=1;init=803");
	ANSWERS(803, cuInit(0));
}

void settings_are_checked()
{
	for (const char *text : {"devices", "devices=x", "nonsense=1", "capability=8", "memory=1T", "fault=x",
	                         "fault=x:1", "fault=x:a:1", "fault=:1:1", "order=up", "devices=-1"})
		CHECK(fake_cuda_configure(text) && strstr(fake_cuda_configure(text), text));
}

void what_lives_is_counted()
{
	device d;
	std::vector<char> ours(100);
	handle graph, exec;
	d.memory(10), d.memory(20), d.host(30), d.event(), d.another_stream();
	GOOD(cuMemHostRegister_v2(ours.data(), 100, 0));
	GOOD(cuStreamBeginCapture_v2(d.stream, RELAXED));
	GOOD(cuStreamEndCapture(d.stream, &graph));
	GOOD(cuGraphInstantiateWithFlags(&exec, graph, 0));
	fake_cuda_counts c = counted();
	CHECK(c.device_bytes == 30 && c.host_bytes == 30 && c.registered_bytes == 100 && c.contexts == 1 &&
	      c.streams == 2);
	CHECK(c.events == 1 && c.modules == 1 && c.graphs == 1 && c.graph_execs == 1 && c.abandoned == 0);
	GOOD(cuMemsetD8Async(d.memory(1), 0, 1, nullptr)); /* the default stream is nobody's leak */
	GOOD(cuDevicePrimaryCtxRelease_v2(0));
	c = counted();
	CHECK(c.device_bytes + c.host_bytes + c.registered_bytes + c.contexts + c.streams + c.events + c.modules == 0);
	CHECK(c.abandoned == 11);
	CHECK(fake_cuda_calls_of("cuMemAlloc_v2") == 3 && fake_cuda_calls_of("cuNothing") == 0);
}

void the_log_tells_what_ran_when()
{
	device d;
	std::string log(1 << 16, 0);
	device_pointer arg = d.holding(std::vector<job>{{0, 0, 0, 0}});
	GOOD(d.launch("scale", 2, 3, arg));
	ANSWERS(400, cuEventSynchronize(&d));
	GOOD(cuStreamSynchronize(d.stream));
	log.resize(fake_cuda_log(&log[0], log.size()) - 1);
	size_t launch = log.find(" cuLaunchKernel scale (2,1,1) x (3,1,1) arg 0x"),
	       wrong = log.find(" cuEventSynchronize ");
	size_t run = log.find("\n  run scale of call "), wait = log.find(" cuStreamSynchronize ", wrong);
	CHECK(launch < wrong && wrong < run && run < wait && wait != std::string::npos);
	CHECK(log.find("-> CUDA_ERROR_INVALID_HANDLE") > wrong);
	char little[10];
	CHECK(fake_cuda_log(little, sizeof little) == log.size() + 1 + strlen("") && strlen(little) == 9);
}

void modules_hold_the_kernels()
{
	device d;
	handle f, m;
	char bad[16] = "nothing at all";
	ANSWERS(200, cuModuleLoadData(&m, bad));
	for (const char *name : {"absent", "malloc", "cuInit", "fake_cuda_reset"})
		ANSWERS(500, cuModuleGetFunction(&f, d.module, name));
}

void codes_have_names()
{
	const char *text;
	GOOD(cuGetErrorName(700, &text));
	CHECK(strcmp(text, "CUDA_ERROR_ILLEGAL_ADDRESS") == 0);
	GOOD(cuGetErrorString(2, &text));
	CHECK(strcmp(text, "out of memory") == 0);
	ANSWERS(1, cuGetErrorName(12345, &text));
	CHECK(!text);
}

void nothing_before_cuInit()
{
	int n;
	handle c;
	ANSWERS(3, cuDeviceGetCount(&n));
	ANSWERS(3, cuDevicePrimaryCtxRetain(&c, 0));
	ANSWERS(3, cuCtxSynchronize());
	device d;
	fake_cuda_reset();
	GOOD(cuDeviceGetCount(&n));
	ANSWERS(709, cuCtxSynchronize()); /* the thread's context is gone */
}
} // namespace

const test fault_tests[] = {{"the_nth_call_fails", the_nth_call_fails},
                            {"what_poisons_stays", what_poisons_stays},
                            {"kernels_fail_late", kernels_fail_late},
                            {"calls_hang_alone", calls_hang_alone},
                            {"devices_as_configured", devices_as_configured},
                            {"no_device", no_device},
                            {"settings_are_checked", settings_are_checked},
                            {"what_lives_is_counted", what_lives_is_counted},
                            {"the_log_tells_what_ran_when", the_log_tells_what_ran_when},
                            {"modules_hold_the_kernels", modules_hold_the_kernels},
                            {"codes_have_names", codes_have_names},
                            {"nothing_before_cuInit", nothing_before_cuInit},
                            {nullptr, nullptr}};
