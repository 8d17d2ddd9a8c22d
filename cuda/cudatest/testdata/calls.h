/* calls.h owns the driver's calls as the tests of the fake use them, and what a test needs around them. */
#ifndef CHIMERA_TEST_CALLS_H
#define CHIMERA_TEST_CALLS_H
#include "../../emulation/fake_cuda.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <string>
#include <vector>

typedef uint64_t device_pointer;
typedef void *handle;

extern "C" {
int cuInit(unsigned);
int cuDriverGetVersion(int *);
int cuGetErrorName(int, const char **);
int cuGetErrorString(int, const char **);
int cuDeviceGetCount(int *);
int cuDeviceGet(int *, int);
int cuDeviceGetName(char *, int, int);
int cuDeviceGetUuid(char *, int);
int cuDeviceGetPCIBusId(char *, int, int);
int cuDeviceGetAttribute(int *, int, int);
int cuDeviceTotalMem_v2(size_t *, int);
int cuDevicePrimaryCtxRetain(handle *, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxSetCurrent(handle);
int cuCtxGetCurrent(handle *);
int cuCtxPushCurrent_v2(handle);
int cuCtxPopCurrent_v2(handle *);
int cuCtxSynchronize(void);
int cuMemAlloc_v2(device_pointer *, size_t);
int cuMemFree_v2(device_pointer);
int cuMemGetInfo_v2(size_t *, size_t *);
int cuMemHostAlloc(void **, size_t, unsigned);
int cuMemFreeHost(void *);
int cuMemHostRegister_v2(void *, size_t, unsigned);
int cuMemHostUnregister(void *);
int cuMemcpyHtoDAsync_v2(device_pointer, const void *, size_t, handle);
int cuMemcpyDtoHAsync_v2(void *, device_pointer, size_t, handle);
int cuMemcpyDtoDAsync_v2(device_pointer, device_pointer, size_t, handle);
int cuMemsetD8Async(device_pointer, unsigned char, size_t, handle);
int cuStreamCreate(handle *, unsigned);
int cuStreamDestroy_v2(handle);
int cuStreamSynchronize(handle);
int cuStreamWaitEvent(handle, handle, unsigned);
int cuEventCreate(handle *, unsigned);
int cuEventRecord(handle, handle);
int cuEventQuery(handle);
int cuEventSynchronize(handle);
int cuEventDestroy_v2(handle);
int cuEventElapsedTime_v2(float *, handle, handle);
int cuModuleLoadData(handle *, const void *);
int cuModuleUnload(handle);
int cuModuleGetFunction(handle *, handle, const char *);
int cuLaunchKernel(handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, handle, void **,
                   void **);
int cuStreamBeginCapture_v2(handle, int);
int cuStreamEndCapture(handle, handle *);
int cuGraphInstantiateWithFlags(handle *, handle, unsigned long long);
int cuGraphLaunch(handle, handle);
int cuGraphExecDestroy(handle);
int cuGraphDestroy(handle);
}

inline void fail(const char *file, int line, const std::string &what)
{
	std::string log(1 << 20, 0);
	fake_cuda_log(&log[0], log.size());
	fprintf(stderr, "%s:%d: %s\nlog:\n%s", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line, what.c_str(),
	        log.c_str());
	_exit(1);
}

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			fail(__FILE__, __LINE__, #condition); \
	} while (0)

/* The call answers that code. */
#define ANSWERS(code, call) \
	do { \
		int answered = (call); \
		if (answered != (code)) \
			fail(__FILE__, __LINE__, \
			     #call " answers " + std::to_string(answered) + ", not " + std::to_string(code)); \
	} while (0)
#define GOOD(call) ANSWERS(0, call)

inline std::string violations()
{
	std::string text(1 << 20, 0);
	text.resize(fake_cuda_violations(&text[0], text.size()) - 1);
	return text;
}

/* Exactly one violation since the last reset, with all these words in it. */
inline bool one_violation(std::vector<std::string> words)
{
	std::string text = violations();
	bool all = !text.empty() && text.find('\n') == text.size() - 1;
	for (const std::string &word : words)
		all = all && text.find(word) != std::string::npos;
	if (!all)
		fprintf(stderr, "violations:\n%s", text.c_str());
	return all;
}

enum { GLOBAL, THREAD_LOCAL, RELAXED }; /* modes of capture */

struct job {
	device_pointer in, out, integers;
	int count;
};

/* A device in use: context, stream, module. Everything is fresh after a reset. */
struct device {
	handle context, stream, module;

	explicit device(const char *settings = "")
	{
		/* A fatbin with one part of four bytes. */
		static const uint32_t image[] = {0xba55ed50u, 0x00100001u, 20, 0, 0x01010002u, 16, 4, 0, 0};
		fake_cuda_reset();
		const char *wrong = fake_cuda_configure(settings);
		if (wrong)
			fail(__FILE__, __LINE__, wrong);
		GOOD(cuInit(0));
		GOOD(cuDevicePrimaryCtxRetain(&context, 0));
		GOOD(cuCtxSetCurrent(context));
		GOOD(cuStreamCreate(&stream, 1));
		GOOD(cuModuleLoadData(&module, image));
	}
	handle function(const char *name)
	{
		handle f;
		GOOD(cuModuleGetFunction(&f, module, name));
		return f;
	}
	handle another_stream(unsigned flags = 1)
	{
		handle s;
		GOOD(cuStreamCreate(&s, flags));
		return s;
	}
	handle event()
	{
		handle e;
		GOOD(cuEventCreate(&e, 3));
		return e;
	}
	device_pointer memory(size_t bytes)
	{
		device_pointer p;
		GOOD(cuMemAlloc_v2(&p, bytes));
		return p;
	}
	char *host(size_t bytes)
	{
		void *p;
		GOOD(cuMemHostAlloc(&p, bytes, 1));
		return (char *)p;
	}
	/* Device memory with this content, at once. */
	template <typename T> device_pointer holding(const std::vector<T> &values)
	{
		device_pointer p = memory(values.size() * sizeof(T));
		GOOD(cuMemcpyHtoDAsync_v2(p, values.data(), values.size() * sizeof(T), stream));
		GOOD(cuStreamSynchronize(stream));
		return p;
	}
	template <typename T> std::vector<T> content(device_pointer p, size_t count)
	{
		std::vector<T> values(count);
		GOOD(cuMemcpyDtoHAsync_v2(values.data(), p, count * sizeof(T), stream));
		GOOD(cuStreamSynchronize(stream));
		return values;
	}
	int launch(const char *kernel, unsigned grid, unsigned block, device_pointer arg, handle in = nullptr)
	{
		void *args[] = {&arg};
		return cuLaunchKernel(function(kernel), grid, 1, 1, block, 1, 1, 0, in ? in : stream, args, nullptr);
	}
	/* Runs a kernel to its end; gives what the wait answers. */
	int run(const char *kernel, unsigned grid, unsigned block, const job &j)
	{
		device_pointer arg = holding(std::vector<job>{j});
		GOOD(launch(kernel, grid, block, arg));
		return cuStreamSynchronize(stream);
	}
};

struct test {
	const char *name;
	void (*run)();
};
extern const test kernel_tests[], stream_tests[], capture_tests[], fault_tests[]; /* the last has no name */
#endif
