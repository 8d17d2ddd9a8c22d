/* fiber.cc owns stacks and the switch between them.
 *
 * On x86-64 the switch is 14 instructions: ucontext's makes two system calls for the signal mask, 40 times
 * slower, and a kernel with barriers switches for each of its threads at each of them. Elsewhere, and with
 * FIBER_UCONTEXT (tests compile both), it is ucontext. The address sanitizer is told of every switch: it then
 * checks kernels' stacks like any other. */
#include "fiber.h"
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <vector>
#if !defined(__x86_64__) && !defined(FIBER_UCONTEXT)
#define FIBER_UCONTEXT
#endif
#ifdef FIBER_UCONTEXT
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace
{
/* The sanitizer's frames are several times larger. A page that cannot be touched lies below each stack. */
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t stack_bytes = 512 << 10;
#else
constexpr size_t stack_bytes = 128 << 10;
#endif
constexpr size_t guard_bytes = 4096;

struct context {
#ifdef FIBER_UCONTEXT
	ucontext_t machine;
#else
	void *stack_pointer;
#endif
	void *fake_stack; /* the sanitizer's */
};
} // namespace

struct fiber {
	context at;
	char *stack;
	void (*entry)(void);
};

namespace
{
/* Guarded by the lock of block.cc: one block runs at a time. Never destroyed: stacks last as long as the process. */
std::vector<fiber *> &pool = *new std::vector<fiber *>;
context outside;
fiber *running;

#ifdef FIBER_UCONTEXT
void machine_switch(context *from, context *to) { swapcontext(&from->machine, &to->machine); }
#else
extern "C" __attribute__((visibility("hidden"))) void chimera_fiber_switch(void **from, void *to);
asm(R"(
	.text
	.p2align 4
	.hidden chimera_fiber_switch
	.globl chimera_fiber_switch
	.type chimera_fiber_switch, @function
chimera_fiber_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.size chimera_fiber_switch, . - chimera_fiber_switch
)");
void machine_switch(context *from, context *to) { chimera_fiber_switch(&from->stack_pointer, to->stack_pointer); }
#endif

void switch_to(context *from, context *to, const void *stack, size_t bytes)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(&from->fake_stack, stack, bytes);
#else
	(void)stack, (void)bytes;
#endif
	machine_switch(from, to);
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(from->fake_stack, nullptr, nullptr);
#endif
}

/* The stack of the system thread, learnt whenever a fiber starts: launches come from many threads, but whatever
 * fiber a launch resumes has started in it. */
const void *outside_stack;
size_t outside_bytes;

void first_entry()
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(nullptr, &outside_stack, &outside_bytes);
#endif
	running->entry();
	abort(); /* an entry never returns */
}

void prepare(fiber *f)
{
	f->at.fake_stack = nullptr;
#ifdef FIBER_UCONTEXT
	getcontext(&f->at.machine);
	f->at.machine.uc_stack.ss_sp = f->stack;
	f->at.machine.uc_stack.ss_size = stack_bytes;
	f->at.machine.uc_link = nullptr;
	makecontext(&f->at.machine, first_entry, 0);
#else
	/* Six registers that do not matter, the address to return to, and a return address of nobody: at first_entry
	 * the stack pointer is 8 less than a multiple of 16, as behind a call. */
	void **top = (void **)(f->stack + stack_bytes) - 1;
	*top = nullptr;
	*--top = (void *)first_entry;
	for (int i = 0; i < 6; i++)
		*--top = nullptr;
	f->at.stack_pointer = top;
#endif
}
} // namespace

fiber *fiber_take(void (*entry)(void))
{
	fiber *f = nullptr;
	if (!pool.empty()) {
		f = pool.back();
		pool.pop_back();
	} else {
		void *map = mmap(nullptr, guard_bytes + stack_bytes, PROT_READ | PROT_WRITE,
		                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (map == MAP_FAILED)
			return nullptr;
		mprotect(map, guard_bytes, PROT_NONE);
		f = new fiber{};
		f->stack = (char *)map + guard_bytes;
	}
	f->entry = entry;
	prepare(f);
	return f;
}

void fiber_enter(fiber *f)
{
	running = f;
	switch_to(&outside, &f->at, f->stack, stack_bytes);
	running = nullptr;
}

void fiber_leave(void)
{
	fiber *f = running;
	switch_to(&f->at, &outside, outside_stack, outside_bytes);
}

void fiber_give(fiber *f)
{
#if defined(__SANITIZE_ADDRESS__)
	__asan_unpoison_memory_region(f->stack, stack_bytes); /* frames that never returned */
#endif
	pool.push_back(f);
}
