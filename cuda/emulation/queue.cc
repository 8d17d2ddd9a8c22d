/* queue.cc owns when work runs: as late as it may.
 *
 * Streams only collect. Work runs when somebody waits for it, and then just that, what its stream holds before it, and
 * what those wait for in turn; so whoever relies on more than was promised reads what is not there yet. Waits look
 * backwards only (an event stands for what was recorded when the wait was queued), so running them recurses without
 * a cycle.
 *
 * A copy to the host fills its destination with 0xDB when queued. A copy from the host reads when it runs, and a digest
 * tells whether the source changed in between. Neither holds for pageable memory, where the driver promises more:
 * the source is read, or the destination complete, before the call returns. */
#include "driver.h"
#include <string.h>

namespace
{
constexpr unsigned char too_early = 0xdb;

uint64_t digest(const void *from, size_t bytes)
{
	uint64_t sum = bytes, word;
	const char *p = (const char *)from;
	for (; bytes >= 8; p += 8, bytes -= 8) {
		memcpy(&word, p, 8);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
		sum ^= sum >> 29;
	}
	for (; bytes; p++, bytes--)
		sum = (sum ^ (unsigned char)*p) * 0x100000001b3u;
	return sum;
}

const char *name_of(const operation &op)
{
	static const char *names[] = {
	        "copy to device", "copy to host", "copy within device", "fill", "kernel", "record", "wait", "graph"};
	return op.kind == KERNEL ? op.what->name.c_str() : names[op.kind];
}

void poison(stream *s, int code, const operation &op)
{
	s->of->sticky = code;
	log_line(std::string("  ") + name_of(op) + " of call " + std::to_string(op.call) +
	         " fails: " + error_name(code));
}

/* Whether one side of a copy is still there: host memory that was pinned must still be. */
bool side_there(bool host, const operation &op, uint64_t at)
{
	if (!host)
		return holder(DEVICE_MEMORY, at, op.bytes);
	return op.pageable || pinned(at, op.bytes);
}

/* Whether the memory that a queued copy or fill was checked for is still there. */
bool still_there(stream *s, const operation &op)
{
	if (side_there(op.kind == COPY_OUT, op, op.to) &&
	    (op.kind == FILL || side_there(op.kind == COPY_IN, op, op.from)))
		return true;
	violation("use", "the %s of call %lu finds its memory freed", name_of(op), (unsigned long)op.call);
	poison(s, ILLEGAL_ADDRESS, op);
	return false;
}

void run_copy_in(const operation &op)
{
	if (op.pageable) {
		memcpy((void *)op.to, op.staged.data(), op.bytes);
		return;
	}
	if (digest((void *)op.from, op.bytes) != op.digest)
		violation("order",
		          "the source of the copy of %zu bytes from 0x%lx to the device, call %lu, was written before "
		          "the copy was done",
		          op.bytes, (unsigned long)op.from, (unsigned long)op.call);
	memcpy((void *)op.to, (void *)op.from, op.bytes);
}

void run_copy_out(const operation &op)
{
	const unsigned char *to = (const unsigned char *)op.to;
	for (size_t i = 0; i < op.bytes && !op.pageable && !op.unmarked; i++)
		if (to[i] != too_early) {
			violation("order",
			          "the destination of the copy of %zu bytes to 0x%lx, call %lu, was written before the "
			          "copy was done",
			          op.bytes, (unsigned long)op.to, (unsigned long)op.call);
			break;
		}
	memcpy((void *)op.to, (void *)op.from, op.bytes);
}

/* Whether the kernel's struct is where its argument says. */
int check_argument(const operation &op)
{
	if (!op.what->in->alive) {
		violation("use", "kernel %s runs after its module was unloaded", name_of(op));
		return LAUNCH_FAILED;
	}
	if (!holder(DEVICE_MEMORY, op.arg, 8)) {
		violation("use", "kernel %s, call %lu: argument 0x%lx is no living device memory", name_of(op),
		          (unsigned long)op.call, (unsigned long)op.arg);
		return ILLEGAL_ADDRESS;
	}
	if (op.arg % 8) {
		violation("use", "kernel %s, call %lu: argument 0x%lx is not aligned to 8", name_of(op),
		          (unsigned long)op.call, (unsigned long)op.arg);
		return MISALIGNED_ADDRESS;
	}
	return OK;
}

void run_kernel(stream *s, const operation &op)
{
	int code = due("kernel/" + op.what->name);
	if (code == OK)
		code = check_argument(op);
	if (code != OK) {
		poison(s, code, op);
		return;
	}
	emulation_launch launch = {op.what->name.c_str(), op.what->kernel, op.grid, op.block, (const void *)op.arg};
	emulation_result result = emulation_run(&launch);
	if (result.outcome == EMULATION_OK)
		return;
	violation("use", "%s", result.text);
	poison(s, result.outcome == EMULATION_ADDRESS ? ILLEGAL_ADDRESS : LAUNCH_FAILED, op);
}

void perform(stream *s, operation &op);

/* Nodes in an order that their dependencies allow, the last recorded first: one that only looks ordered shows. */
void run_graph(stream *s, recording &graph)
{
	size_t count = graph.nodes.size(), left = count;
	std::vector<bool> done(count);
	while (left && !s->of->sticky)
		for (size_t i = count; i-- > 0;) {
			bool ready = !done[i];
			for (int before : graph.after[i])
				ready = ready && done[(size_t)before];
			if (!ready)
				continue;
			perform(s, graph.nodes[i]);
			done[i] = true;
			left--;
			break;
		}
}

void perform(stream *s, operation &op)
{
	if (op.kind != RECORD && op.kind != WAIT)
		log_line(std::string("  run ") + name_of(op) + " of call " + std::to_string(op.call));
	if (op.kind <= FILL && !still_there(s, op))
		return;
	switch (op.kind) {
	case COPY_IN:
		return run_copy_in(op);
	case COPY_OUT:
		return run_copy_out(op);
	case COPY_WITHIN:
		memmove((void *)op.to, (void *)op.from, op.bytes);
		return;
	case FILL:
		memset((void *)op.to, op.value, op.bytes);
		return;
	case KERNEL:
		return run_kernel(s, op);
	case GRAPH:
		return run_graph(s, *op.recorded);
	case RECORD:
	case WAIT:
		return;
	}
}

/* The first operation of a stream, after what it waits for. */
void run_front(stream *s)
{
	operation_ptr op = s->queue.front();
	if (op->until)
		run_until(op->until);
	if (!s->of->sticky) /* a poisoned context does nothing more */
		perform(s, *op);
	op->done = true;
	op->at = std::chrono::steady_clock::now();
	op->until.reset(); /* or a chain of launches would live for ever */
	if (!s->queue.empty() && s->queue.front() == op)
		s->queue.pop_front();
}

bool touches(const operation &op, uint64_t address, size_t bytes)
{
	auto in = [&](uint64_t at, size_t n) { return at < address + bytes && address < at + n; };
	if (op.kind == GRAPH) {
		for (const operation &node : op.recorded->nodes)
			if (touches(node, address, bytes))
				return true;
		return false;
	}
	if (op.kind == KERNEL)
		return in(op.arg, 8);
	return op.kind <= FILL && (in(op.to, op.bytes) || (op.kind != FILL && !op.pageable && in(op.from, op.bytes)));
}

/* The default stream and blocking streams wait for one another, whatever was queued first. */
void order_with_default(stream *s)
{
	stream *zero = fake.default_streams.count(s->of) ? fake.default_streams[s->of] : nullptr;
	if (!zero || !s->blocking)
		return;
	for (auto &[handle, o] : fake.objects) {
		auto *other = dynamic_cast<stream *>(o.get());
		if (!other || other == s || other->of != s->of || !other->blocking || other->queue.empty() ||
		    (s != zero && other != zero))
			continue;
		auto wait = std::make_shared<operation>();
		wait->kind = WAIT;
		wait->home = s;
		wait->until = other->queue.back();
		s->queue.push_back(wait);
	}
}

/* Work in the default stream would wait for a stream that is being captured. */
bool implied_in_capture(stream *s)
{
	if (!fake.default_streams.count(s->of) || fake.default_streams[s->of] != s)
		return false;
	for (auto &[handle, o] : fake.objects)
		if (auto *other = dynamic_cast<stream *>(o.get()))
			if (other->alive && other->of == s->of && other->blocking && other->capturing) {
				invalidate(other->capturing);
				return true;
			}
	return false;
}
} // namespace

stream *stream_of(void *handle)
{
	if ((uintptr_t)handle > 1) { /* 1 is the default stream too, by its other name */
		stream *s = find<stream>(handle);
		return s && s->of->alive ? s : nullptr;
	}
	context *c = current();
	stream *&zero = fake.default_streams[c];
	if (!zero) {
		zero = make<stream>(c);
		zero->blocking = true;
	}
	return zero;
}

/* Whether a copy that is queued before this one, on its stream, reads where it writes: a round trip. */
bool still_read(const operation &op)
{
	if (op.home)
		for (const operation_ptr &before : op.home->queue)
			if (before->kind == COPY_IN && before->from < op.to + op.bytes &&
			    op.to < before->from + before->bytes)
				return true;
	return false;
}

void prepare(operation &op)
{
	if (op.kind == COPY_IN) {
		op.pageable = !pinned(op.from, op.bytes);
		if (op.pageable)
			op.staged.assign((const char *)op.from, op.bytes);
		else
			op.digest = digest((void *)op.from, op.bytes);
	}
	if (op.kind == COPY_OUT) {
		op.pageable = !pinned(op.to, op.bytes);
		op.unmarked = still_read(op);
		if (!op.unmarked)
			memset((void *)op.to, too_early, op.bytes);
	}
	if (op.kind == GRAPH)
		for (operation &node : op.recorded->nodes) {
			node.call = op.call;
			prepare(node);
		}
	fake.pageable_copies += op.pageable;
}

int enqueue(stream *s, const operation &op)
{
	if (implied_in_capture(s))
		return CAPTURE_IMPLICIT;
	if (s->capturing)
		return capture_node(s, op);
	order_with_default(s);
	auto queued = std::make_shared<operation>(op);
	queued->home = s;
	queued->call = fake.calls;
	prepare(*queued);
	s->queue.push_back(queued);
	if (queued->kind == COPY_OUT && queued->pageable)
		run_until(queued);
	return OK;
}

void run_until(const operation_ptr &op)
{
	while (!op->done && !op->home->queue.empty())
		run_front(op->home);
}

void run_stream(stream *s)
{
	while (!s->queue.empty())
		run_front(s);
}

const operation *pending_on(uint64_t address, size_t bytes)
{
	for (auto &[handle, o] : fake.objects)
		if (auto *s = dynamic_cast<stream *>(o.get()))
			for (const operation_ptr &op : s->queue)
				if (touches(*op, address, bytes))
					return op.get();
	return nullptr;
}
