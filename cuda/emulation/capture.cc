/* capture.cc owns stream capture and graphs.
 *
 * While a stream is captured its work becomes nodes; a node comes after the last ones of its stream and of the events
 * that its stream waited for. What cannot be captured spoils the capture, which cuStreamEndCapture then reports. */
#include "driver.h"

namespace
{
enum { GLOBAL, THREAD_LOCAL, RELAXED };

int spoil(const std::shared_ptr<capture> &c, int code, const char *why)
{
	invalidate(c);
	note("%s", why);
	return code;
}

void leave(const std::shared_ptr<capture> &c)
{
	for (stream *s : c->members) {
		s->capturing.reset();
		s->tail.clear();
	}
	c->ended = true;
}

/* Whether every node of the other streams comes before the last of the origin. */
bool joined(const capture &c)
{
	std::vector<bool> before(c.nodes.nodes.size());
	std::vector<int> todo = c.origin->tail;
	while (!todo.empty()) {
		int node = todo.back();
		todo.pop_back();
		if (before[(size_t)node])
			continue;
		before[(size_t)node] = true;
		todo.insert(todo.end(), c.nodes.after[(size_t)node].begin(), c.nodes.after[(size_t)node].end());
	}
	for (stream *s : c.members)
		for (int node : s->tail)
			if (!before[(size_t)node])
				return false;
	return true;
}

/* Whether a capture forbids unsafe calls to this thread. */
bool forbids(const capture &c)
{
	return c.mode == GLOBAL || (c.mode == THREAD_LOCAL && pthread_equal(c.thread, pthread_self()));
}

int end(stream *s, void **to)
{
	std::shared_ptr<capture> c = s->capturing;
	*to = nullptr;
	if (!c)
		return note("the stream is not captured"), ILLEGAL_STATE;
	if (c->origin != s)
		return spoil(c, CAPTURE_UNMATCHED, "the capture began on another stream");
	if (c->mode != RELAXED && !pthread_equal(c->thread, pthread_self()))
		return spoil(c, CAPTURE_WRONG_THREAD, "the capture began on another thread");
	bool whole = joined(*c);
	leave(c);
	if (c->invalid)
		return CAPTURE_INVALIDATED;
	if (!whole)
		return note("a stream that joined the capture was not waited for"), CAPTURE_UNJOINED;
	graph *g = make<graph>(current());
	g->nodes = std::move(c->nodes);
	*to = g;
	note("%zu nodes", g->nodes.nodes.size());
	return OK;
}

int launch(graph_exec *g, stream *s)
{
	if (s->capturing)
		return spoil(s->capturing, NOT_SUPPORTED, "a graph within a graph is not emulated");
	operation op;
	op.kind = GRAPH;
	op.recorded = std::make_shared<recording>(g->nodes); /* its own: each launch digests its sources anew */
	op.until = g->last;                                  /* one launch of a graph runs at a time */
	if (int code = enqueue(s, op))
		return code;
	g->last = s->queue.back();
	return OK;
}
} // namespace

void invalidate(const std::shared_ptr<capture> &c) { c->invalid = true; }

std::shared_ptr<capture> strict_capture()
{
	for (auto &[handle, o] : fake.objects)
		if (auto *s = dynamic_cast<stream *>(o.get()))
			if (s->alive && s->capturing && forbids(*s->capturing))
				return s->capturing;
	return nullptr;
}

int capture_node(stream *s, const operation &op)
{
	std::shared_ptr<capture> c = s->capturing;
	if (c->invalid)
		return CAPTURE_INVALIDATED;
	bool pageable =
	        (op.kind == COPY_IN && !pinned(op.from, op.bytes)) || (op.kind == COPY_OUT && !pinned(op.to, op.bytes));
	if (pageable) /* when a launch reads or writes it is not defined well enough to rely on */
		return spoil(c, CAPTURE_UNSUPPORTED, "a captured copy wants pinned host memory");
	c->nodes.nodes.push_back(op);
	c->nodes.after.push_back(s->tail);
	s->tail = {(int)c->nodes.nodes.size() - 1};
	return OK;
}

int capture_record(stream *s, event *e)
{
	if (s->capturing->invalid)
		return CAPTURE_INVALIDATED;
	e->captured = s->capturing;
	e->tail = s->tail;
	return OK;
}

int capture_wait(stream *s, event *e)
{
	if (s->capturing && s->capturing->invalid)
		return CAPTURE_INVALIDATED;
	if (!e->captured)
		return spoil(s->capturing, CAPTURE_ISOLATION, "the event is not of the capture");
	if (e->captured->ended) {
		if (s->capturing)
			invalidate(s->capturing);
		return note("the event is of a capture that has ended"), CAPTURED_EVENT;
	}
	if (s->capturing && s->capturing != e->captured) {
		invalidate(e->captured);
		return spoil(s->capturing, CAPTURE_MERGE, "the event is of another capture");
	}
	if (!s->capturing) {
		s->capturing = e->captured;
		e->captured->members.push_back(s);
	}
	s->tail.insert(s->tail.end(), e->tail.begin(), e->tail.end());
	return OK;
}

FAKE_PUBLIC int cuStreamBeginCapture_v2(void *handle, int mode)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		stream *s = find<stream>(handle);
		note("%p mode %d", handle, mode);
		if ((uintptr_t)handle <= 1) /* the default stream */
			return CAPTURE_UNSUPPORTED;
		if (!s || s->of != current())
			return INVALID_HANDLE;
		if (mode < GLOBAL || mode > RELAXED)
			return INVALID_VALUE;
		if (s->capturing)
			return spoil(s->capturing, ILLEGAL_STATE, "the stream is captured already");
		auto c = std::make_shared<capture>();
		c->origin = s;
		c->mode = mode;
		c->thread = pthread_self();
		c->members = {s};
		s->capturing = c;
		return OK;
	});
}

FAKE_PUBLIC int cuStreamEndCapture(void *handle, void **to)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		stream *s = find<stream>(handle);
		note("%p", handle);
		if (!s)
			return INVALID_HANDLE;
		return to ? end(s, to) : INVALID_VALUE;
	});
}

FAKE_PUBLIC int cuGraphInstantiateWithFlags(void **to, void *handle, unsigned long long flags)
{
	return answer(__func__, NEEDS_CONTEXT | UNSAFE_IN_CAPTURE, [&]() -> int {
		graph *g = find<graph>(handle);
		if (!to || !g || flags)
			return INVALID_VALUE;
		graph_exec *made = make<graph_exec>(current());
		made->nodes = g->nodes;
		*to = made;
		note("%p", *to);
		return OK;
	});
}

FAKE_PUBLIC int cuGraphLaunch(void *handle, void *stream_handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		graph_exec *g = find<graph_exec>(handle);
		stream *s = stream_of(stream_handle);
		note("%p in %p", handle, stream_handle);
		if (!g || !s || g->of != s->of)
			return g ? INVALID_HANDLE : INVALID_VALUE;
		return launch(g, s);
	});
}

/* A launch under way goes on: it has its own nodes. */
FAKE_PUBLIC int cuGraphExecDestroy(void *handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		graph_exec *g = find<graph_exec>(handle);
		note("%p", handle);
		if (!g)
			return INVALID_VALUE;
		g->alive = false;
		return OK;
	});
}

FAKE_PUBLIC int cuGraphDestroy(void *handle)
{
	return answer(__func__, NEEDS_CONTEXT, [&]() -> int {
		graph *g = find<graph>(handle);
		note("%p", handle);
		if (!g)
			return INVALID_VALUE;
		g->alive = false;
		return OK;
	});
}
