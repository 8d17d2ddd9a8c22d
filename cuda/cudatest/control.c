// go:build cuda

/* control.c owns the pointers into the fake driver. */
#include "control.h"
#include <dlfcn.h>

static struct {
	const char *(*configure)(const char *);
	void (*restore)(void);
	void (*reset)(void);
	void (*count)(struct fake_cuda_counts *);
	uint64_t (*calls_of)(const char *);
	size_t (*log)(char *, size_t);
	size_t (*violations)(char *, size_t);
} fake;
static void *library;

const char *control_open(void)
{
	static const char *const names[] = {"fake_cuda_configure", "fake_cuda_restore",  "fake_cuda_reset",
	                                    "fake_cuda_count",     "fake_cuda_calls_of", "fake_cuda_log",
	                                    "fake_cuda_violations"};
	void *const slots[] = {&fake.configure, &fake.restore, &fake.reset,     &fake.count,
	                       &fake.calls_of,  &fake.log,     &fake.violations};
	library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return dlerror();
	for (int i = 0; i < 7; i++) {
		*(void **)slots[i] = dlsym(library, names[i]);
		if (!*(void **)slots[i])
			return dlerror();
	}
	return NULL;
}

const char *control_configure(const char *text) { return fake.configure(text); }
void control_restore(void) { fake.restore(); }
void control_reset(void) { fake.reset(); }
void control_count(struct fake_cuda_counts *to) { fake.count(to); }
uint64_t control_calls_of(const char *name) { return fake.calls_of(name); }
size_t control_log(char *to, size_t size) { return fake.log(to, size); }
size_t control_violations(char *to, size_t size) { return fake.violations(to, size); }

int control_call(const char *name, const uintptr_t a[CONTROL_ARGUMENTS])
{
	int (*call)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
	            uintptr_t, uintptr_t);
	*(void **)&call = dlsym(library, name);
	if (!call)
		return -1;
	/* The calling convention ignores arguments beyond a function's own. */
	return call(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10]);
}
