/* shim.c owns the driver's symbols: for each that the binary refers to there is a slot and a trampoline that
 * jumps through it. So the binary needs no driver to start, and cu's package initialisation, which ends the
 * process where cuInit fails, finds a cuInit that succeeds.
 *
 * The trampolines are hidden: the driver's own libraries must find each other's symbols, not ours. */
#include "shim.h"
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

enum { SUCCESS = 0, NOT_INITIALIZED = 3, NOT_SUPPORTED = 801 };

static int not_initialized(void) { return NOT_INITIALIZED; }
static int not_supported(void) { return NOT_SUPPORTED; }
static int initialized_later(unsigned flags) { return (void)flags, SUCCESS; }

#ifndef __x86_64__
#error "the trampolines are written for x86-64"
#endif
/* r11 is the caller's to lose and carries no argument. */
#define SYMBOL(name) \
	void *slot_##name __attribute__((visibility("hidden"))) = (void *)not_initialized; \
	__asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ", @function\n" #name \
	        ":\n\tendbr64\n\tjmp *slot_" #name "(%rip)\n.size " #name ", .-" #name "\n");
#include "shim_symbols.h"
#undef SYMBOL

static const struct {
	const char *name;
	void **slot;
} symbols[] = {
#define SYMBOL(name) {#name, &slot_##name},
#include "shim_symbols.h"
#undef SYMBOL
};

__attribute__((constructor)) static void let_cu_start(void) { slot_cuInit = (void *)initialized_later; }

/* A driver that lacks a symbol answers so when it is called: version checks are what promises them. */
static void bind(void *library)
{
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *found = dlsym(library, symbols[i].name);
		*symbols[i].slot = found ? found : (void *)not_supported;
	}
}

struct shim_answer shim_open(const char *library, int needed_version)
{
	struct shim_answer a = {0};
	void *driver = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	int (*version)(int *), (*init)(unsigned);
	if (!driver) {
		a.missing = strdup(dlerror()); /* kept for good: it is asked for once */
		return a;
	}
	version = (int (*)(int *))dlsym(driver, "cuDriverGetVersion");
	init = (int (*)(unsigned))dlsym(driver, "cuInit");
	if (!version || !init) {
		a.missing = "it is not the library of an NVIDIA driver: cuInit is missing";
		return a;
	}
	a.call = "cuDriverGetVersion";
	if ((a.code = version(&a.version)) != SUCCESS || a.version < needed_version)
		return a;
	a.call = "cuInit";
	if ((a.code = init(0)) != SUCCESS)
		return a;
	bind(driver);
	a.call = NULL;
	return a;
}
