/* block.cc owns the threads of one block: who may run, who waits at which barrier or warp operation.
 *
 * Threads that never wait share one fiber, one after another, so a kernel without barriers costs no switch. A thread
 * that waits keeps its fiber and the next one starts on another. Who runs when is fixed by the source and the options,
 * never by time: a failure repeats.
 *
 * What the device leaves undefined is an error here: a barrier that part of the block waits at while the rest waits
 * elsewhere, two places of the source meeting at one barrier, a warp operation whose lanes disagree, a value read from
 * a lane that is not there. Threads that have returned count nowhere, as on the device. */
#include "block.h"
#include "fiber.h"
#include <mutex>
#include <numeric>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <ucontext.h>
#include <vector>

dim3 threadIdx, blockIdx, blockDim, gridDim;
emulation_options emulation;

namespace
{
constexpr int warp_lanes = 32;
enum state { FRESH, READY, AT_BARRIER, IN_WARP, DONE };

struct warp_request {
	emulation_warp_op op;
	unsigned mask;
	uint64_t value; /* given, then got */
	int operand, width;
};

struct thread {
	state now;
	fiber *on; /* while READY, AT_BARRIER or IN_WARP */
	emulation_site site;
	warp_request request;
};

struct block {
	const emulation_launch *launch;
	std::vector<thread> threads;
	std::vector<int> ready; /* resumed from the back */
	int fresh;              /* started so far */
	int alive, at_barrier;
	int current; /* the running thread */
	bool idle;   /* the fiber that just left has no thread */
	bool backwards;
	emulation_outcome failed;
	char failure[512];
} block;

std::mutex one_at_a_time;

dim3 index_of(int thread)
{
	unsigned t = (unsigned)thread;
	return dim3(t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y);
}

/* Keeps the first failure of the launch, with its place in front. */
__attribute__((format(printf, 2, 3))) void fail(int thread, const char *format, ...)
{
	if (block.failed)
		return;
	block.failed = EMULATION_LAUNCH;
	dim3 at = index_of(thread);
	size_t n = (size_t)snprintf(block.failure, sizeof block.failure,
	                            "kernel %s, block (%u,%u,%u), thread (%u,%u,%u): ", block.launch->name, blockIdx.x,
	                            blockIdx.y, blockIdx.z, at.x, at.y, at.z);
	va_list args;
	va_start(args, format);
	if (n < sizeof block.failure)
		vsnprintf(block.failure + n, sizeof block.failure - n, format, args);
	va_end(args);
}

const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

bool same_site(emulation_site a, emulation_site b)
{
	/* Text is compared where the compiler kept two copies of it. */
	return a.line == b.line && (a.file == b.file || strcmp(a.file, b.file) == 0) &&
	       (a.what == b.what || strcmp(a.what, b.what) == 0);
}

/* --- the barrier of the block --- */

void make_ready(int thread)
{
	block.threads[(size_t)thread].now = READY;
	block.ready.push_back(thread);
}

/* Whether a and b, both at the barrier, came from one place; if not the launch has failed. */
bool meet(int a, int b)
{
	const emulation_site &here = block.threads[(size_t)a].site, &there = block.threads[(size_t)b].site;
	if (same_site(here, there))
		return true;
	dim3 at = index_of(b);
	fail(a, "waits at __syncthreads of %s:%d while thread (%u,%u,%u) waits at that of %s:%d", base_name(here.file),
	     here.line, at.x, at.y, at.z, base_name(there.file), there.line);
	return false;
}

/* Lets everybody go if all that are alive wait at the barrier. */
void try_barrier()
{
	if (block.at_barrier == 0 || block.at_barrier < block.alive)
		return;
	int count = (int)block.threads.size(), first = -1;
	for (int i = 0; i < count; i++) {
		int thread = block.backwards ? i : count - 1 - i; /* the last pushed runs first */
		if (block.threads[(size_t)thread].now != AT_BARRIER)
			continue;
		if (first < 0)
			first = thread;
		if (!meet(first, thread))
			return;
		make_ready(thread);
	}
	block.at_barrier = 0;
	block.backwards = !block.backwards;
}

/* --- operations of a warp --- */

thread *lane_of(int warp, int lane)
{
	size_t at = (size_t)(warp * warp_lanes + lane);
	return at < block.threads.size() && block.threads[at].now != DONE ? &block.threads[at] : nullptr;
}

/* The lane whose value `lane` gets, by the rules of the shuffles: out of its part of width lanes means its own. */
int source_lane(const warp_request &r, int lane)
{
	int low = lane & ~(r.width - 1), high = low + r.width - 1, from = lane;
	switch (r.op) {
	case WARP_INDEX:
		return low + (r.operand & (r.width - 1));
	case WARP_UP:
		from = lane - r.operand;
		return from < low ? lane : from;
	case WARP_DOWN:
		from = lane + r.operand;
		return from > high ? lane : from;
	case WARP_XOR:
		from = lane ^ r.operand;
		return from > high ? lane : from;
	default:
		return lane;
	}
}

uint64_t ballot(int warp, unsigned mask, const uint64_t *given)
{
	uint64_t votes = 0;
	for (int lane = 0; lane < warp_lanes; lane++)
		if ((mask >> lane & 1) && lane_of(warp, lane) && given[lane])
			votes |= 1u << lane;
	return votes;
}

/* Gives each lane of the mask, all of which have come, what it asked for. */
void exchange(int warp, unsigned mask)
{
	uint64_t given[warp_lanes] = {};
	for (int lane = 0; lane < warp_lanes; lane++)
		if (thread *t = lane_of(warp, lane))
			given[lane] = t->request.value;
	for (int lane = 0; lane < warp_lanes; lane++) {
		thread *t = mask >> lane & 1 ? lane_of(warp, lane) : nullptr;
		if (!t)
			continue;
		int from = source_lane(t->request, lane);
		if (!(mask >> from & 1) || !lane_of(warp, from))
			fail(warp * warp_lanes + lane, "%s at %s:%d reads lane %d, which is absent", t->site.what,
			     base_name(t->site.file), t->site.line, from);
		t->request.value = t->request.op == WARP_BALLOT ? ballot(warp, mask, given) : given[from];
	}
}

/* Whether two lanes that name each other in their masks wait for the same thing; if not the launch has failed. */
bool agree(int a, int b)
{
	const thread &x = block.threads[(size_t)a], &y = block.threads[(size_t)b];
	if (x.request.mask == y.request.mask && x.request.op == y.request.op && x.request.width == y.request.width)
		return true;
	fail(a, "%s at %s:%d with mask %08x meets lane %d in %s at %s:%d with mask %08x", x.site.what,
	     base_name(x.site.file), x.site.line, x.request.mask, b % warp_lanes, y.site.what, base_name(y.site.file),
	     y.site.line, y.request.mask);
	return false;
}

/* Completes the operation that thread waits in, if all its lanes have come. */
void try_warp(int thread)
{
	int warp = thread / warp_lanes;
	unsigned mask = block.threads[(size_t)thread].request.mask;
	for (int i = 0; i < warp_lanes; i++) {
		int lane = block.backwards ? i : warp_lanes - 1 - i; /* the one most likely to be missing first */
		auto *t = mask >> lane & 1 ? lane_of(warp, lane) : nullptr;
		if (!t)
			continue;
		if (t->now != IN_WARP || !agree(thread, warp * warp_lanes + lane))
			return;
	}
	exchange(warp, mask);
	for (int i = 0; i < warp_lanes; i++) {
		int lane = block.backwards ? i : warp_lanes - 1 - i;
		if ((mask >> lane & 1) && lane_of(warp, lane))
			make_ready(warp * warp_lanes + lane);
	}
}

/* --- shared memory --- */

/* Shared memory is the zero-initialised data of the kernels' objects; these lie around it. */
extern "C" __attribute__((weak, visibility("hidden"))) char emulation_shared_begin, emulation_shared_end;

/* NaN as float, half and bfloat16; as an index far outside of anything. Byte by byte and unseen by the sanitizer,
 * whose red zones lie between the variables. */
__attribute__((no_sanitize("address"))) void poison_shared()
{
	volatile char *end = &emulation_shared_end;
	for (volatile char *p = &emulation_shared_begin; p < end; p++)
		*p = (uintptr_t)p & 1 ? 0x7f : (char)0xff;
}

/* --- running --- */

/* A thread that returns may be the one that others waited for. */
void finish(int thread)
{
	block.threads[(size_t)thread].now = DONE;
	block.alive--;
	try_barrier();
	int first = thread / warp_lanes * warp_lanes;
	for (int lane = 0; lane < warp_lanes && first + lane < (int)block.threads.size(); lane++)
		if (block.threads[(size_t)(first + lane)].now == IN_WARP)
			try_warp(first + lane);
}

/* Makes thread the running one. */
void enter(int thread)
{
	block.current = thread;
	threadIdx = index_of(thread);
}

int next_fresh()
{
	int count = (int)block.threads.size(), i = block.fresh++;
	return block.backwards ? count - 1 - i : i;
}

/* A fiber's life: threads that have not started, as long as none that may go on is older. */
void run_threads()
{
	for (;;) {
		while (!block.failed && block.ready.empty() && block.fresh < (int)block.threads.size()) {
			enter(next_fresh());
			block.launch->kernel(block.launch->arg);
			finish(block.current);
		}
		block.idle = true;
		fiber_leave();
	}
}

void describe(int thread, char *to, size_t size)
{
	const struct thread &t = block.threads[(size_t)thread];
	dim3 at = index_of(thread);
	if (t.now == IN_WARP)
		snprintf(to, size, "thread (%u,%u,%u) waits in %s, mask %08x, at %s:%d", at.x, at.y, at.z, t.site.what,
		         t.request.mask, base_name(t.site.file), t.site.line);
	else
		snprintf(to, size, "thread (%u,%u,%u) waits at __syncthreads of %s:%d", at.x, at.y, at.z,
		         base_name(t.site.file), t.site.line);
}

/* Nobody may go on although threads are alive: names two of them, in different places where there are. */
void fail_stuck()
{
	int first = -1, other = -1;
	for (int i = 0; i < (int)block.threads.size(); i++) {
		const thread &t = block.threads[(size_t)i];
		if (t.now == DONE)
			continue;
		if (first < 0)
			first = i;
		else if (other < 0 || !same_site(t.site, block.threads[(size_t)first].site))
			other = i;
		if (other >= 0 && !same_site(block.threads[(size_t)other].site, block.threads[(size_t)first].site))
			break;
	}
	char here[160], there[160] = "the lanes it names never come";
	describe(first, here, sizeof here);
	if (other >= 0)
		describe(other, there, sizeof there);
	fail(first, "deadlock: %s; %s", here, there);
}

/* Resumes the thread that is next, or starts some. False when the block has ended or failed. */
bool step(std::vector<fiber *> &used)
{
	fiber *f;
	if (!block.ready.empty()) {
		enter(block.ready.back());
		block.ready.pop_back();
		f = block.threads[(size_t)block.current].on;
	} else if (block.fresh < (int)block.threads.size()) {
		f = used.empty() ? nullptr : used.back();
		if (f)
			used.pop_back();
		else if (!(f = fiber_take(run_threads))) {
			fail(block.fresh, "no memory for a thread's stack");
			return false;
		}
	} else {
		if (block.alive > 0)
			fail_stuck();
		return false;
	}
	block.idle = false;
	fiber_enter(f);
	if (block.idle)
		used.push_back(f);
	else
		block.threads[(size_t)block.current].on = f;
	return !block.failed;
}

/* Runs the block blockIdx. */
void run_block(const emulation_launch *launch, std::vector<fiber *> &used)
{
	int count = (int)(launch->block.x * launch->block.y * launch->block.z);
	block.threads.resize((size_t)count);
	for (thread &t : block.threads) /* the rest is set before it is read */
		t.now = FRESH, t.on = nullptr;
	block.ready.clear();
	block.fresh = block.at_barrier = 0;
	block.alive = count;
	block.backwards = emulation.reverse;
	if (emulation.poison_shared)
		poison_shared();
	while (step(used))
		;
	for (thread &t : block.threads) /* those of a block that failed */
		if (t.now != DONE && t.on)
			fiber_give(t.on);
}

/* --- bad addresses --- */

/* The device answers a wild access with an error, the host with a signal: it becomes a failure of the launch. The
 * sanitizer's own report says more, so its builds keep its handler. */
#if defined(__SANITIZE_ADDRESS__)
void catch_faults() {}
#else
struct sigaction before[2]; /* of SIGSEGV, SIGBUS: Go's, as a rule */
volatile sig_atomic_t in_kernel;
pthread_t kernel_thread;

void on_fault(int signal, siginfo_t *info, void *machine)
{
	if (in_kernel && pthread_equal(pthread_self(), kernel_thread)) {
		fail(block.current, "reads or writes address %p", info->si_addr);
		block.failed = EMULATION_ADDRESS;
		pthread_sigmask(SIG_SETMASK, &((ucontext_t *)machine)->uc_sigmask, nullptr);
		fiber_leave(); /* for good; the handler's frame stays behind on the signal stack */
	}
	struct sigaction &next = before[signal == SIGBUS];
	if (next.sa_flags & SA_SIGINFO)
		next.sa_sigaction(signal, info, machine);
	else if (next.sa_handler != SIG_DFL && next.sa_handler != SIG_IGN)
		next.sa_handler(signal);
	else
		sigaction(signal, &next, nullptr); /* the access happens again and ends the process */
}

void catch_faults()
{
	static bool installed;
	if (installed)
		return;
	struct sigaction ours = {};
	ours.sa_sigaction = on_fault;
	ours.sa_flags = SA_SIGINFO | SA_ONSTACK; /* as Go wants it of everybody, with all else blocked */
	sigfillset(&ours.sa_mask);
	sigaction(SIGSEGV, &ours, &before[0]);
	sigaction(SIGBUS, &ours, &before[1]);
	installed = true;
}
#endif

/* splitmix64 */
uint64_t mixed(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* The launch's blocks in the order that they run in. It follows from the seed, the kernel's name and the grid alone, so
 * that a failure repeats whatever else ran before. */
std::vector<uint32_t> block_order(const emulation_launch *launch)
{
	dim3 grid = launch->grid;
	std::vector<uint32_t> order((size_t)grid.x * grid.y * grid.z);
	std::iota(order.begin(), order.end(), 0u);
	if (!emulation.seed)
		return order;
	uint64_t state = mixed(emulation.seed);
	for (const char *c = launch->name; *c; c++)
		state = mixed(state ^ (unsigned char)*c);
	for (unsigned n : {grid.x, grid.y, grid.z})
		state = mixed(state ^ n);
	for (size_t i = order.size(); i > 1; i--)
		std::swap(order[i - 1], order[(state = mixed(state)) % i]);
	return order;
}

void run_grid(const emulation_launch *launch)
{
	std::vector<fiber *> used; /* idle fibers of this launch */
	dim3 grid = launch->grid;
	for (uint32_t i : block_order(launch)) {
		if (block.failed)
			break;
		blockIdx = dim3(i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y);
		run_block(launch, used);
	}
	for (fiber *f : used)
		fiber_give(f);
}

/* Says how the failure may be had again. */
void name_seed()
{
	size_t n = strlen(block.failure);
	snprintf(block.failure + n, sizeof block.failure - n, " (blocks in the order of seed %llu)",
	         (unsigned long long)emulation.seed);
}
} // namespace

emulation_result emulation_run(const emulation_launch *launch)
{
	static thread_local char text[sizeof block.failure];
	std::lock_guard<std::mutex> lock(one_at_a_time);
	block.launch = launch;
	block.failed = EMULATION_OK;
	block.failure[0] = 0;
	blockDim = launch->block;
	gridDim = launch->grid;
	catch_faults();
#if !defined(__SANITIZE_ADDRESS__)
	kernel_thread = pthread_self();
	in_kernel = 1;
#endif
	run_grid(launch);
#if !defined(__SANITIZE_ADDRESS__)
	in_kernel = 0;
#endif
	if (block.failed)
		name_seed();
	memcpy(text, block.failure, sizeof text);
	return {block.failed, text};
}

/* --- what kernels call: outside the namespace, declared in cuda_host.h --- */

void emulation_barrier(emulation_site site)
{
	block.at_barrier++;
	block.threads[(size_t)block.current].now = AT_BARRIER;
	block.threads[(size_t)block.current].site = site;
	try_barrier();
	fiber_leave();
}

uint64_t emulation_warp(emulation_site site, emulation_warp_op op, unsigned mask, uint64_t value, int operand,
                        int width)
{
	int me = block.current;
	thread &t = block.threads[(size_t)me];
	t.site = site;
	t.request = {op, mask, value, operand, width};
	t.now = IN_WARP;
	if (!(mask >> me % warp_lanes & 1))
		fail(me, "%s at %s:%d with mask %08x, which leaves out its own lane", site.what, base_name(site.file),
		     site.line, mask);
	else if (width < 1 || width > warp_lanes || (width & (width - 1)))
		fail(me, "%s at %s:%d with width %d: it is a power of two up to 32", site.what, base_name(site.file),
		     site.line, width);
	else
		try_warp(me);
	fiber_leave();
	return block.threads[(size_t)me].request.value;
}

void emulation_trap(emulation_site site)
{
	fail(block.current, "__trap at %s:%d", base_name(site.file), site.line);
	fiber_leave();
}
