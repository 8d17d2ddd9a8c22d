/* memory.cc owns device and host memory and the calls that hand it out.
 *
 * Device memory is memory of the process, mapped between two pages that cannot be touched; the bytes that rounding
 * leaves beside an allocation hold a pattern that is checked when it is freed (and are red zones for the sanitizer).
 * Freed memory stays mapped without any access: its address never comes back, so whatever still uses it is caught. */
#include "driver.h"
#include <string.h>
#include <sys/mman.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#endif

namespace
{
constexpr size_t page = 4096, alignment = 256;
constexpr unsigned char guard_byte = 0xb7;

size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* NaN as float, half and bfloat16, far out of bounds as an index: what memory holds that nobody wrote. */
void fill_unwritten(char *at, size_t bytes)
{
	char pattern[page];
	for (size_t i = 0; i < page; i++)
		pattern[i] = i % 2 ? 0x7f : (char)0xff;
	for (; bytes >= page; at += page, bytes -= page)
		memcpy(at, pattern, page);
	memcpy(at, pattern, bytes);
}

size_t free_bytes()
{
	size_t used = live_bytes(DEVICE_MEMORY, current());
	return used < fake.set.memory ? fake.set.memory - used : 0;
}

/* The two strips beside an allocation, between it and the pages that cannot be touched. */
struct strip {
	char *at;
	size_t bytes;
};
strip before(const allocation *a) { return {a->map + page, (size_t)((char *)a->base - a->map) - page}; }
strip behind(const allocation *a)
{
	char *end = (char *)a->base + a->bytes;
	return {end, (size_t)(a->map + a->map_bytes - page - end)};
}

void guard(strip s)
{
	memset(s.at, guard_byte, s.bytes);
	ASAN_POISON_MEMORY_REGION(s.at, s.bytes);
}

void check_guard(const allocation *a, strip s, const char *where)
{
	ASAN_UNPOISON_MEMORY_REGION(s.at, s.bytes);
	for (size_t i = 0; i < s.bytes; i++)
		if ((unsigned char)s.at[i] != guard_byte) {
			violation("use", "%zu bytes at 0x%lx were written %s their end or start", a->bytes,
			          (unsigned long)a->base, where);
			return;
		}
}

allocation *remember(memory_kind kind, context *of, uint64_t base, size_t bytes)
{
	allocation *a = make<allocation>(of);
	a->kind = kind;
	a->base = base;
	a->bytes = bytes;
	fake.memory[kind][base] = a;
	return a;
}

bool overlaps(memory_kind kind, uint64_t base, size_t bytes)
{
	for (auto &[at, a] : fake.memory[kind])
		if (a->alive && at < base + bytes && base < at + a->bytes)
			return true;
	return false;
}

/* What a free of the given kind finds at an address; NULL with the reason noted. */
allocation *to_free(memory_kind kind, uint64_t base)
{
	auto at = fake.memory[kind].find(base);
	if (at == fake.memory[kind].end()) {
		note("0x%lx was not handed out", (unsigned long)base);
		return nullptr;
	}
	allocation *a = at->second;
	if (!a->alive) {
		note("0x%lx is free already", (unsigned long)base);
		return nullptr;
	}
	if (kind == DEVICE_MEMORY && a->of != current()) {
		note("0x%lx belongs to another context", (unsigned long)base);
		return nullptr;
	}
	if (const operation *op = pending_on(a->base, a->bytes))
		violation("order", "%zu bytes at 0x%lx go before the work that call %lu queued on them is done",
		          a->bytes, (unsigned long)a->base, (unsigned long)op->call);
	return a;
}

int free_memory(memory_kind kind, uint64_t base, int missing)
{
	allocation *a = to_free(kind, base);
	if (!a)
		return missing;
	note("0x%lx %zu", (unsigned long)base, a->bytes);
	release(a);
	return OK;
}
} // namespace

allocation *allocate(memory_kind kind, context *of, size_t bytes)
{
	size_t inside = round_up(bytes, page), map_bytes = inside + 2 * page;
	char *map = (char *)mmap(nullptr, map_bytes, PROT_READ | PROT_WRITE,
	                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return nullptr;
	/* Device memory ends where its mapping ends, as near as alignment lets; host memory begins on a page. */
	size_t skip = kind == DEVICE_MEMORY ? inside - round_up(bytes, alignment) : 0;
	allocation *a = remember(kind, of, (uint64_t)(map + page + skip), bytes);
	a->map = map;
	a->map_bytes = map_bytes;
	mprotect(map, page, PROT_NONE);
	mprotect(map + map_bytes - page, page, PROT_NONE);
	fill_unwritten((char *)a->base, bytes);
	guard(before(a));
	guard(behind(a));
	return a;
}

void release(allocation *a)
{
	a->alive = false;
	if (!a->map)
		return;
	check_guard(a, before(a), "before");
	check_guard(a, behind(a), "behind");
	ASAN_POISON_MEMORY_REGION((char *)a->base, a->bytes);
	madvise(a->map, a->map_bytes, MADV_DONTNEED);
	mprotect(a->map, a->map_bytes, PROT_NONE);
}

allocation *holder(memory_kind kind, uint64_t address, size_t bytes)
{
	auto &map = fake.memory[kind];
	auto at = map.upper_bound(address);
	if (at == map.begin())
		return nullptr;
	allocation *a = (--at)->second;
	return a->alive && address - a->base <= a->bytes && bytes <= a->bytes - (address - a->base) ? a : nullptr;
}

bool pinned(uint64_t address, size_t bytes)
{
	return holder(HOST_MEMORY, address, bytes) || holder(REGISTERED_MEMORY, address, bytes);
}

size_t live_bytes(memory_kind kind, const context *of)
{
	size_t sum = 0;
	for (auto &[at, a] : fake.memory[kind])
		sum += a->alive && (!of || a->of == of) ? a->bytes : 0;
	return sum;
}

FAKE_PUBLIC int cuMemAlloc_v2(device_pointer *to, size_t bytes)
{
	return answer(__func__, NEEDS_CONTEXT | UNSAFE_IN_CAPTURE, [&]() -> int {
		note("%zu", bytes);
		if (!to || bytes == 0)
			return INVALID_VALUE;
		if (bytes > free_bytes())
			return OUT_OF_MEMORY;
		allocation *a = allocate(DEVICE_MEMORY, current(), bytes);
		if (!a)
			return OUT_OF_MEMORY;
		*to = a->base;
		note("at 0x%lx", (unsigned long)a->base);
		return OK;
	});
}

FAKE_PUBLIC int cuMemFree_v2(device_pointer at)
{
	return answer(__func__, NEEDS_CONTEXT | UNSAFE_IN_CAPTURE,
	              [&] { return at ? free_memory(DEVICE_MEMORY, at, INVALID_VALUE) : OK; });
}

FAKE_PUBLIC int cuMemGetInfo_v2(size_t *free, size_t *total)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		if (!free || !total)
			return INVALID_VALUE;
		*total = fake.set.memory;
		*free = free_bytes();
		return OK;
	});
}

FAKE_PUBLIC int cuMemHostAlloc(void **to, size_t bytes, unsigned flags)
{
	return answer(__func__, NEEDS_CONTEXT | UNSAFE_IN_CAPTURE, [&]() -> int {
		note("%zu flags %u", bytes, flags);
		if (!to || bytes == 0 || flags > 7) /* portable, device map, write-combined */
			return INVALID_VALUE;
		allocation *a = allocate(HOST_MEMORY, current(), bytes);
		if (!a)
			return OUT_OF_MEMORY;
		*to = (void *)a->base;
		note("at %p", *to);
		return OK;
	});
}

FAKE_PUBLIC int cuMemFreeHost(void *at)
{
	return answer(__func__, NEEDS_CONTEXT | UNSAFE_IN_CAPTURE,
	              [&] { return free_memory(HOST_MEMORY, (uint64_t)at, INVALID_VALUE); });
}

FAKE_PUBLIC int cuMemHostRegister_v2(void *at, size_t bytes, unsigned flags)
{
	return answer(__func__, NEEDS_CONTEXT | UNSAFE_IN_CAPTURE, [&]() -> int {
		note("%p %zu flags %u", at, bytes, flags);
		if (!at || bytes == 0 || flags > 15) /* portable, device map, I/O, read-only */
			return INVALID_VALUE;
		if (overlaps(REGISTERED_MEMORY, (uint64_t)at, bytes) || overlaps(HOST_MEMORY, (uint64_t)at, bytes))
			return HOST_MEMORY_ALREADY_REGISTERED;
		remember(REGISTERED_MEMORY, current(), (uint64_t)at, bytes);
		return OK;
	});
}

FAKE_PUBLIC int cuMemHostUnregister(void *at)
{
	return answer(__func__, NEEDS_CONTEXT | UNSAFE_IN_CAPTURE,
	              [&] { return free_memory(REGISTERED_MEMORY, (uint64_t)at, HOST_MEMORY_NOT_REGISTERED); });
}
