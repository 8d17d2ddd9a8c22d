/* stream.cc owns the calls that make streams and events, queue work on them, and wait. */
#include "driver.h"

namespace
{
unsigned long hex(const void *handle) { return (unsigned long)handle; }

/* Checks a stream handle for work that is queued from the current context. */
int usable(void *handle, stream *&s)
{
	s = stream_of(handle);
	if (s && s->of == current())
		return OK;
	note(s ? "stream 0x%lx belongs to another context" : "0x%lx is no living stream", hex(handle));
	return INVALID_HANDLE;
}

int usable(void *handle, event *&e)
{
	e = find<event>(handle);
	if (e)
		return OK;
	note("0x%lx is no living event", hex(handle));
	return INVALID_HANDLE;
}

/* A wait would never end while the stream only records, or would miss what is recorded. */
int refuse_capture(stream *s)
{
	if (!s->capturing)
		return OK;
	invalidate(s->capturing);
	note("the stream is being captured");
	return CAPTURE_UNSUPPORTED;
}

int refuse_captured(event *e)
{
	if (!e->captured)
		return OK;
	invalidate(e->captured);
	note("the event was recorded in a capture");
	return CAPTURED_EVENT;
}

bool on_device(device_pointer at, size_t bytes, const char *what)
{
	if (holder(DEVICE_MEMORY, at, bytes))
		return true;
	note("%s: 0x%lx + %zu is not within one living allocation of device memory", what, (unsigned long)at, bytes);
	return false;
}

/* Host memory may be anything, but not what was pinned here and given back, nor reach beyond what is. */
bool on_host(uint64_t at, size_t bytes)
{
	if (at && pinned(at, bytes))
		return true;
	bool stray = !at;
	for (auto &[base, a] : fake.memory[HOST_MEMORY])
		stray = stray || (base < at + bytes && at < base + a->bytes);
	if (stray)
		note("host memory 0x%lx + %zu is NULL, freed, or reaches beyond its allocation", (unsigned long)at,
		     bytes);
	return !stray;
}

int copy(work kind, uint64_t to, uint64_t from, size_t bytes, void *handle)
{
	stream *s;
	note("%lx <- %lx %zu", (unsigned long)to, (unsigned long)from, bytes);
	if (int code = usable(handle, s))
		return code;
	if (bytes == 0)
		return OK;
	bool to_good = kind == COPY_OUT ? on_host(to, bytes) : on_device(to, bytes, "to");
	bool from_good = kind == COPY_IN ? on_host(from, bytes) : on_device(from, bytes, "from");
	if (!to_good || !from_good)
		return INVALID_VALUE;
	operation op;
	op.kind = kind;
	op.to = to;
	op.from = from;
	op.bytes = bytes;
	return enqueue(s, op);
}

bool fits(dim3 grid, dim3 block)
{
	uint64_t threads = (uint64_t)block.x * block.y * block.z;
	bool some = threads && grid.x && grid.y && grid.z;
	return some && block.x <= 1024 && block.y <= 1024 && block.z <= 64 && threads <= 1024 && grid.x <= INT32_MAX &&
	       grid.y <= 65535 && grid.z <= 65535;
}

int launch(const operation &op, unsigned shared_bytes, void *handle, void **extra)
{
	stream *s;
	if (int code = usable(handle, s))
		return code;
	if (!op.what || op.what->of != current()) {
		note("the function is not living or of another context");
		return INVALID_HANDLE;
	}
	note("%s (%u,%u,%u) x (%u,%u,%u) arg 0x%lx", op.what->name.c_str(), op.grid.x, op.grid.y, op.grid.z, op.block.x,
	     op.block.y, op.block.z, (unsigned long)op.arg);
	if (!fits(op.grid, op.block) || extra)
		return INVALID_VALUE;
	unsigned threads = op.block.x * op.block.y * op.block.z;
	if (threads > (unsigned)op.what->bound) {
		note("; its __launch_bounds__ are %d threads, not %u", op.what->bound, threads);
		return INVALID_VALUE;
	}
	if (shared_bytes) {
		note("dynamic shared memory is not emulated");
		return NOT_SUPPORTED;
	}
	return enqueue(s, op);
}
} // namespace

/* --- streams --- */

FAKE_PUBLIC int cuStreamCreate(void **to, unsigned flags)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		if (!to || flags > 1)
			return INVALID_VALUE;
		stream *s = make<stream>(current());
		s->blocking = flags == 0;
		*to = s;
		note("%lx", hex(s));
		return OK;
	});
}

/* Work that is still queued runs when something needs it, as the driver says. */
FAKE_PUBLIC int cuStreamDestroy_v2(void *handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		stream *s = find<stream>(handle);
		note("%lx", hex(handle));
		if (!s)
			return INVALID_HANDLE;
		if (s->capturing)
			invalidate(s->capturing);
		s->alive = false;
		return OK;
	});
}

FAKE_PUBLIC int cuStreamSynchronize(void *handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		stream *s = stream_of(handle);
		note("%lx", hex(handle));
		if (!s)
			return INVALID_HANDLE;
		if (int code = refuse_capture(s))
			return code;
		run_stream(s);
		return s->of->sticky;
	});
}

FAKE_PUBLIC int cuStreamWaitEvent(void *handle, void *event_handle, unsigned flags)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		stream *s;
		event *e;
		note("%lx waits for %lx", hex(handle), hex(event_handle));
		if (int code = usable(handle, s))
			return code;
		if (int code = usable(event_handle, e))
			return code;
		if (flags)
			return INVALID_VALUE;
		if (s->capturing || e->captured)
			return capture_wait(s, e);
		operation op;
		op.kind = WAIT;
		op.until = e->recorded; /* as it is now: a later record does not count */
		return e->recorded ? enqueue(s, op) : OK;
	});
}

FAKE_PUBLIC int cuCtxSynchronize(void)
{
	return answer(__func__, NEEDS_CONTEXT | UNSAFE_IN_CAPTURE, [&]() -> int {
		for (auto &[handle, o] : fake.objects)
			if (auto *s = dynamic_cast<stream *>(o.get()))
				if (s->of == current())
					run_stream(s);
		return current()->sticky;
	});
}

/* --- events --- */

FAKE_PUBLIC int cuEventCreate(void **to, unsigned flags)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		if (!to || flags > 3) /* blocking sync, no timing */
			return INVALID_VALUE;
		event *e = make<event>(current());
		e->timed = !(flags & 2);
		*to = e;
		note("%lx", hex(*to));
		return OK;
	});
}

FAKE_PUBLIC int cuEventDestroy_v2(void *handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		event *e;
		note("%lx", hex(handle));
		if (int code = usable(handle, e))
			return code;
		e->alive = false;
		return OK;
	});
}

FAKE_PUBLIC int cuEventRecord(void *handle, void *stream_handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		stream *s;
		event *e;
		note("%lx in %lx", hex(handle), hex(stream_handle));
		if (int code = usable(stream_handle, s))
			return code;
		if (int code = usable(handle, e))
			return code;
		if (e->of != s->of)
			return INVALID_HANDLE;
		e->queries = 0;
		if (s->capturing)
			return capture_record(s, e);
		if (int code = enqueue(s, operation()))
			return code;
		e->captured.reset();
		e->recorded = s->queue.back();
		return OK;
	});
}

/* The work is done in the background, so asking often enough ends in yes: after some answers of "not ready". */
FAKE_PUBLIC int cuEventQuery(void *handle)
{
	return answer(__func__, NEEDS_CONTEXT | UNSAFE_IN_CAPTURE, [&]() -> int {
		event *e;
		note("%lx", hex(handle));
		if (int code = usable(handle, e))
			return code;
		if (int code = refuse_captured(e))
			return code;
		if (!e->recorded || e->recorded->done)
			return OK;
		if (e->queries++ < fake.set.queries)
			return NOT_READY;
		run_until(e->recorded);
		return e->of->sticky;
	});
}

FAKE_PUBLIC int cuEventSynchronize(void *handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		event *e;
		note("%lx", hex(handle));
		if (int code = usable(handle, e))
			return code;
		if (int code = refuse_captured(e))
			return code;
		if (e->recorded)
			run_until(e->recorded);
		return e->of->sticky;
	});
}

/* The time on the host's clock from one recorded event to another, which have both come. */
FAKE_PUBLIC int cuEventElapsedTime_v2(float *milliseconds, void *from_handle, void *to_handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		event *from, *to;
		note("%lx to %lx", hex(from_handle), hex(to_handle));
		if (int code = usable(from_handle, from))
			return code;
		if (int code = usable(to_handle, to))
			return code;
		if (!milliseconds || !from->timed || !to->timed || !from->recorded || !to->recorded)
			return milliseconds ? INVALID_HANDLE : INVALID_VALUE;
		if (!from->recorded->done || !to->recorded->done)
			return NOT_READY;
		*milliseconds = std::chrono::duration<float, std::milli>(to->recorded->at - from->recorded->at).count();
		return OK;
	});
}

/* --- work --- */

FAKE_PUBLIC int cuMemcpyHtoDAsync_v2(device_pointer to, const void *from, size_t bytes, void *handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&] { return copy(COPY_IN, to, (uint64_t)from, bytes, handle); });
}

FAKE_PUBLIC int cuMemcpyDtoHAsync_v2(void *to, device_pointer from, size_t bytes, void *handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&] { return copy(COPY_OUT, (uint64_t)to, from, bytes, handle); });
}

FAKE_PUBLIC int cuMemcpyDtoDAsync_v2(device_pointer to, device_pointer from, size_t bytes, void *handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&] { return copy(COPY_WITHIN, to, from, bytes, handle); });
}

FAKE_PUBLIC int cuMemsetD8Async(device_pointer to, unsigned char value, size_t bytes, void *handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		stream *s;
		note("%lx %zu of %d", (unsigned long)to, bytes, value);
		if (int code = usable(handle, s))
			return code;
		if (bytes == 0)
			return OK;
		if (!on_device(to, bytes, "to"))
			return INVALID_VALUE;
		operation op;
		op.kind = FILL;
		op.to = to;
		op.bytes = bytes;
		op.value = value;
		return enqueue(s, op);
	});
}

/* Kernels take one argument of 8 bytes; it is read now, as the driver does. */
FAKE_PUBLIC int cuLaunchKernel(void *what, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                               unsigned block_y, unsigned block_z, unsigned shared_bytes, void *handle, void **args,
                               void **extra)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		if (!args || !args[0])
			return INVALID_VALUE;
		operation op;
		op.kind = KERNEL;
		op.what = find<function>(what);
		op.grid = dim3(grid_x, grid_y, grid_z);
		op.block = dim3(block_x, block_y, block_z);
		op.arg = *(device_pointer *)args[0];
		return launch(op, shared_bytes, handle, extra);
	});
}
