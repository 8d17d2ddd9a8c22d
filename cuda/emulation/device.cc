/* device.cc owns the calls about the driver itself, its devices, their primary contexts, and modules. */
#include "driver.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

namespace
{
int known(int device) { return device >= 0 && device < fake.set.devices ? OK : INVALID_DEVICE; }

/* The attributes that differ from 0 and are asked for; figures of a small data-centre card. */
int attribute(int which, int device, int &to)
{
	static const std::map<int, int> values = {
	        {1, 1024},       /* threads per block */
	        {2, 1024},       /* block x */
	        {3, 1024},       /* block y */
	        {4, 64},         /* block z */
	        {5, INT32_MAX},  /* grid x */
	        {6, 65535},      /* grid y */
	        {7, 65535},      /* grid z */
	        {8, 48 << 10},   /* shared memory per block */
	        {9, 64 << 10},   /* constant memory */
	        {10, 32},        /* warp */
	        {12, 65536},     /* registers per block */
	        {16, 4},         /* multiprocessors */
	        {19, 1},         /* host memory can be mapped */
	        {31, 1},         /* concurrent kernels */
	        {32, 1},         /* ECC */
	        {38, 4 << 20},   /* L2 */
	        {39, 2048},      /* threads per multiprocessor */
	        {40, 2},         /* copy engines */
	        {41, 1},         /* unified addresses */
	        {81, 228 << 10}, /* shared memory per multiprocessor */
	        {97, 227 << 10}, /* shared memory per block that opts in */
	        {99, 1},         /* host memory can be registered */
	};
	if (which < 1 || which > 147)
		return INVALID_VALUE;
	auto at = values.find(which);
	to = which == 33          ? device + 1 /* PCI bus */
	     : which == 75        ? fake.set.major
	     : which == 76        ? fake.set.minor
	     : at == values.end() ? 0
	                          : at->second;
	return OK;
}

int copy_text(const std::string &text, char *to, int size)
{
	if (!to || size < 1)
		return INVALID_VALUE;
	snprintf(to, (size_t)size, "%s", text.c_str());
	return OK;
}

int uuid(char *to, int device)
{
	if (!to || known(device))
		return to ? INVALID_DEVICE : INVALID_VALUE;
	memcpy(to, "fake-cuda-gpu--", 15);
	to[15] = (char)device;
	return OK;
}

/* What a .cu file made in this very library, by name: a kernel, or its bound. */
void *made_by_source(const char *name)
{
	Dl_info ours, its;
	if (!dladdr(&fake, &ours) || strncmp(name, "cu", 2) == 0 || strncmp(name, "fake_cuda_", 10) == 0)
		return nullptr;
	void *library = dlopen(ours.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	void *found = library ? dlsym(library, name) : nullptr;
	if (library)
		dlclose(library);
	if (!found || !dladdr(found, &its) || its.dli_fbase != ours.dli_fbase)
		return nullptr; /* of a library below us */
	return found;
}

/* A fatbin, as nvcc writes one: a header, then parts of code, each with its own, to the very end. What is in them
 * cannot run here; package cuda's tests look into them. */
bool is_fatbin(const void *image)
{
	struct {
		uint32_t magic;
		uint16_t version, header;
		uint64_t bytes; /* behind the header */
	} all;
	struct {
		uint16_t kind, version; /* kind 1: PTX, 2: machine code */
		uint32_t header;
		uint64_t bytes;
	} part;
	memcpy(&all, image, sizeof all);
	if (all.magic != 0xba55ed50u || all.version != 1 || all.header != sizeof all || all.bytes == 0)
		return false;
	const char *at = (const char *)image + sizeof all;
	for (uint64_t left = all.bytes; left; left -= part.header + part.bytes, at += part.header + part.bytes) {
		if (left < sizeof part)
			return false;
		memcpy(&part, at, sizeof part);
		if ((part.kind != 1 && part.kind != 2) || part.header < sizeof part || part.bytes == 0 ||
		    part.bytes > left || part.header > left - part.bytes)
			return false;
	}
	return true;
}
} // namespace

/* --- the driver --- */

FAKE_PUBLIC int cuInit(unsigned flags)
{
	return answer(__func__, NEEDS_NOTHING, [&]() -> int {
		if (flags)
			return INVALID_VALUE;
		if (fake.set.init || !fake.set.devices)
			return fake.set.init ? fake.set.init : NO_DEVICE;
		fake.initialised = true;
		return OK;
	});
}

FAKE_PUBLIC int cuDriverGetVersion(int *to)
{
	return answer(__func__, NEEDS_NOTHING, [&]() -> int {
		if (!to)
			return INVALID_VALUE;
		*to = fake.set.driver;
		return OK;
	});
}

/* --- devices --- */

FAKE_PUBLIC int cuDeviceGetCount(int *to)
{
	return answer(__func__, NEEDS_INIT, [&]() -> int {
		if (!to)
			return INVALID_VALUE;
		*to = fake.set.devices;
		return OK;
	});
}

FAKE_PUBLIC int cuDeviceGet(int *to, int ordinal)
{
	return answer(__func__, NEEDS_INIT, [&]() -> int {
		if (!to || known(ordinal))
			return to ? INVALID_DEVICE : INVALID_VALUE;
		*to = ordinal;
		return OK;
	});
}

FAKE_PUBLIC int cuDeviceGetName(char *to, int size, int device)
{
	return answer(__func__, NEEDS_INIT, [&]() -> int {
		if (known(device))
			return INVALID_DEVICE;
		size_t last = fake.set.names.size() - 1;
		return copy_text(fake.set.names[(size_t)device < last ? (size_t)device : last], to, size);
	});
}

FAKE_PUBLIC int cuDeviceGetUuid(char *to, int device)
{
	return answer(__func__, NEEDS_INIT, [&] { return uuid(to, device); });
}

FAKE_PUBLIC int cuDeviceGetUuid_v2(char *to, int device)
{
	return answer(__func__, NEEDS_INIT, [&] { return uuid(to, device); });
}

FAKE_PUBLIC int cuDeviceGetPCIBusId(char *to, int size, int device)
{
	return answer(__func__, NEEDS_INIT, [&]() -> int {
		char text[32];
		snprintf(text, sizeof text, "0000:%02x:00.0", device + 1);
		return known(device) ? INVALID_DEVICE : copy_text(text, to, size);
	});
}

FAKE_PUBLIC int cuDeviceGetAttribute(int *to, int which, int device)
{
	return answer(__func__, NEEDS_INIT, [&]() -> int {
		if (!to || known(device))
			return to ? INVALID_DEVICE : INVALID_VALUE;
		return attribute(which, device, *to);
	});
}

FAKE_PUBLIC int cuDeviceTotalMem_v2(size_t *to, int device)
{
	return answer(__func__, NEEDS_INIT, [&]() -> int {
		if (!to || known(device))
			return to ? INVALID_DEVICE : INVALID_VALUE;
		*to = fake.set.memory;
		return OK;
	});
}

/* --- contexts --- */

FAKE_PUBLIC int cuDevicePrimaryCtxRetain(void **to, int device)
{
	return answer(__func__, NEEDS_INIT, [&]() -> int {
		if (!to || known(device))
			return to ? INVALID_DEVICE : INVALID_VALUE;
		context *&c = fake.primary[(size_t)device];
		if (!c) {
			c = make<context>(nullptr);
			c->device = device;
		}
		if (c->sticky)
			return c->sticky;
		c->retained++;
		*to = c;
		return OK;
	});
}

FAKE_PUBLIC int cuDevicePrimaryCtxRelease_v2(int device)
{
	return answer(__func__, NEEDS_INIT, [&]() -> int {
		if (known(device))
			return INVALID_DEVICE;
		context *c = fake.primary[(size_t)device];
		if (!c)
			return INVALID_CONTEXT;
		if (--c->retained > 0)
			return OK;
		bool healthy = !c->sticky;
		int count = destroy_context(c);
		fake.abandoned += (uint64_t)(healthy ? count : 0);
		return OK;
	});
}

FAKE_PUBLIC int cuCtxSetCurrent(void *handle)
{
	return answer(__func__, NEEDS_INIT, [&]() -> int {
		context *c = find<context>(handle);
		if (handle && !c)
			return INVALID_CONTEXT;
		if (!contexts().empty())
			contexts().pop_back();
		if (c)
			contexts().push_back(c);
		return OK;
	});
}

FAKE_PUBLIC int cuCtxGetCurrent(void **to)
{
	return answer(__func__, NEEDS_INIT, [&]() -> int {
		if (!to)
			return INVALID_VALUE;
		*to = current();
		return OK;
	});
}

FAKE_PUBLIC int cuCtxPushCurrent_v2(void *handle)
{
	return answer(__func__, NEEDS_INIT, [&]() -> int {
		context *c = find<context>(handle);
		if (!c)
			return INVALID_CONTEXT;
		contexts().push_back(c);
		return OK;
	});
}

FAKE_PUBLIC int cuCtxPopCurrent_v2(void **to)
{
	return answer(__func__, NEEDS_INIT, [&]() -> int {
		if (contexts().empty())
			return INVALID_CONTEXT;
		if (to)
			*to = current();
		contexts().pop_back();
		return OK;
	});
}

/* --- modules --- */

FAKE_PUBLIC int cuModuleLoadData(void **to, const void *image)
{
	return answer(__func__, NEEDS_CONTEXT | UNSAFE_IN_CAPTURE, [&]() -> int {
		if (!to || !image)
			return INVALID_VALUE;
		if (!is_fatbin(image))
			return INVALID_IMAGE;
		*to = make<module>(current());
		note("%p", *to);
		return OK;
	});
}

FAKE_PUBLIC int cuModuleUnload(void *handle)
{
	return answer(__func__, NEEDS_CONTEXT | UNSAFE_IN_CAPTURE, [&]() -> int {
		module *m = find<module>(handle);
		note("%p", handle);
		if (!m)
			return INVALID_HANDLE;
		for (auto &[at, o] : fake.objects)
			if (auto *f = dynamic_cast<function *>(o.get()))
				f->alive = f->alive && f->in != m;
		m->alive = false;
		return OK;
	});
}

FAKE_PUBLIC int cuModuleGetFunction(void **to, void *handle, const char *name)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		module *m = find<module>(handle);
		note("%p %s", handle, name ? name : "");
		if (!to || !name || !m)
			return m ? INVALID_VALUE : INVALID_HANDLE;
		void *found = made_by_source(name), *bound = made_by_source((std::string(name) + "_bound").c_str());
		if (!found)
			return NOT_FOUND;
		function *f = make<function>(m->of);
		f->in = m;
		f->name = name;
		f->kernel = (void (*)(const void *))found;
		if (bound)
			f->bound = *(const int *)bound;
		*to = f;
		return OK;
	});
}
