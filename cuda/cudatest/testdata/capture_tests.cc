/* capture_tests.cc owns the tests of stream capture and graphs. */
#include "calls.h"
#include <math.h>
#include <thread>

namespace
{
handle ended(handle stream)
{
	handle graph, exec;
	GOOD(cuStreamEndCapture(stream, &graph));
	GOOD(cuGraphInstantiateWithFlags(&exec, graph, 0));
	GOOD(cuGraphDestroy(graph));
	return exec;
}

/* A capture of out += 1 over four floats. */
handle increments(device &d, device_pointer out)
{
	device_pointer arg = d.holding(std::vector<job>{{0, out, 0, 4}});
	GOOD(cuStreamBeginCapture_v2(d.stream, THREAD_LOCAL));
	GOOD(d.launch("increment", 1, 4, arg));
	return ended(d.stream);
}

void a_graph_runs_when_launched()
{
	device d;
	device_pointer out = d.holding(std::vector<float>(4));
	handle exec = increments(d, out);
	CHECK(d.content<float>(out, 1)[0] == 0);
	for (int i = 1; i <= 3; i++) {
		GOOD(cuGraphLaunch(exec, d.stream));
		CHECK(d.content<float>(out, 1)[0] == (float)i);
	}
	GOOD(cuGraphExecDestroy(exec));
	ANSWERS(1, cuGraphLaunch(exec, d.stream));
}

/* Launches on two streams without a wait still come one after another. */
void launches_of_one_graph_are_ordered()
{
	device d;
	device_pointer out = d.holding(std::vector<float>(4));
	handle exec = increments(d, out), other = d.another_stream();
	for (int i = 0; i < 10; i++)
		GOOD(cuGraphLaunch(exec, i % 2 ? other : d.stream));
	GOOD(cuGraphLaunch(exec, other));
	GOOD(cuGraphExecDestroy(exec)); /* those under way go on */
	GOOD(cuStreamSynchronize(other));
	CHECK(d.content<float>(out, 1)[0] == 11);
}

void graph_copies_are_watched_too()
{
	device d;
	char *from = d.host(8), *to = d.host(8);
	device_pointer at = d.memory(8);
	GOOD(cuStreamBeginCapture_v2(d.stream, RELAXED));
	GOOD(cuMemcpyHtoDAsync_v2(at, from, 8, d.stream));
	GOOD(cuMemcpyDtoHAsync_v2(to, at, 8, d.stream));
	handle exec = ended(d.stream);
	for (char value = 1; value < 4; value++) {
		memset(from, value, 8); /* between launches, which is right */
		GOOD(cuGraphLaunch(exec, d.stream));
		CHECK((unsigned char)to[0] == 0xdb);
		GOOD(cuStreamSynchronize(d.stream));
		CHECK(to[0] == value && to[7] == value);
	}
	CHECK(violations().empty());
	GOOD(cuGraphLaunch(exec, d.stream));
	from[3] = 0;
	GOOD(cuStreamSynchronize(d.stream));
	CHECK(one_violation({"order: the source of the copy of 8 bytes"}));
}

/* in -> scale on a second stream -> scale back on the first; with the join forgotten capture fails. */
void forks_join()
{
	for (bool joins : {true, false}) {
		device d;
		device_pointer a = d.holding(std::vector<float>{1, 2}), b = d.memory(8), c = d.memory(8);
		device_pointer first = d.holding(std::vector<job>{{a, b, 0, 2}}),
		               second = d.holding(std::vector<job>{{b, c, 0, 2}});
		handle other = d.another_stream(), fork = d.event(), join = d.event(), graph;
		GOOD(cuStreamBeginCapture_v2(d.stream, THREAD_LOCAL));
		GOOD(cuEventRecord(fork, d.stream));
		GOOD(cuStreamWaitEvent(other, fork, 0));
		GOOD(d.launch("scale", 1, 2, first, other));
		GOOD(cuEventRecord(join, other));
		if (joins)
			GOOD(cuStreamWaitEvent(d.stream, join, 0));
		GOOD(d.launch("scale", 1, 2, second));
		if (!joins) {
			ANSWERS(904, cuStreamEndCapture(d.stream, &graph));
			CHECK(!graph);
			GOOD(cuStreamSynchronize(other)); /* no longer captured */
			continue;
		}
		handle exec = ended(d.stream);
		GOOD(cuGraphLaunch(exec, d.stream));
		CHECK(d.content<float>(c, 2)[1] == 8);
		CHECK(violations().empty());
	}
}

/* Two branches without an order between them: the later recorded one runs first, and reads what is not there. */
void branches_have_no_order()
{
	device d;
	device_pointer a = d.holding(std::vector<float>{1}), b = d.memory(4), c = d.memory(4);
	device_pointer first = d.holding(std::vector<job>{{a, b, 0, 1}}),
	               second = d.holding(std::vector<job>{{b, c, 0, 1}});
	handle other = d.another_stream(), fork = d.event(), join = d.event();
	GOOD(cuStreamBeginCapture_v2(d.stream, THREAD_LOCAL));
	GOOD(cuEventRecord(fork, d.stream));
	GOOD(cuStreamWaitEvent(other, fork, 0));
	GOOD(d.launch("scale", 1, 1, first, d.stream));
	GOOD(d.launch("scale", 1, 1, second, other)); /* wants what the other branch makes */
	GOOD(cuEventRecord(join, other));
	GOOD(cuStreamWaitEvent(d.stream, join, 0));
	handle exec = ended(d.stream);
	GOOD(cuGraphLaunch(exec, d.stream));
	CHECK(isnan(d.content<float>(c, 1)[0]));
}

/* The call fails with code in a capture, spoils it or not, and leaves the stream usable. */
template <typename Call> void refused(int mode, int code, bool spoils, Call call)
{
	device d;
	handle graph;
	char *host = d.host(8);
	device_pointer at = d.memory(8);
	GOOD(cuStreamBeginCapture_v2(d.stream, mode));
	GOOD(cuMemsetD8Async(at, 1, 8, d.stream));
	ANSWERS(code, call(d, host, at));
	ANSWERS(spoils ? 901 : 0, cuMemsetD8Async(at, 1, 8, d.stream));
	ANSWERS(spoils ? 901 : 0, cuStreamEndCapture(d.stream, &graph));
	CHECK(!graph == spoils);
	GOOD(cuMemsetD8Async(at, 2, 8, d.stream));
	CHECK(d.content<char>(at, 1)[0] == 2);
}

void what_a_capture_refuses()
{
	refused(THREAD_LOCAL, 900, true,
	        [](device &d, char *, device_pointer) { return cuStreamSynchronize(d.stream); });
	refused(THREAD_LOCAL, 900, true, [](device &, char *, device_pointer) { return cuCtxSynchronize(); });
	refused(RELAXED, 0, false, [](device &, char *, device_pointer) { return cuCtxSynchronize(); });
	refused(GLOBAL, 900, true, [](device &, char *, device_pointer) {
		device_pointer p;
		return cuMemAlloc_v2(&p, 8);
	});
	refused(RELAXED, 0, false, [](device &, char *, device_pointer) {
		device_pointer p;
		return cuMemAlloc_v2(&p, 8);
	});
	refused(THREAD_LOCAL, 900, true, [](device &, char *, device_pointer p) { return cuMemFree_v2(p + 0); });
	refused(THREAD_LOCAL, 900, true, [](device &, char *p, device_pointer) { return cuMemFreeHost(p); });
	refused(RELAXED, 401, true,
	        [](device &d, char *, device_pointer) { return cuStreamBeginCapture_v2(d.stream, RELAXED); });
	refused(RELAXED, 905, true, [](device &d, char *, device_pointer) {
		handle other = d.another_stream(), e = d.event();
		GOOD(cuEventRecord(e, other));
		return cuStreamWaitEvent(d.stream, e, 0);
	});
	refused(RELAXED, 907, true, [](device &d, char *, device_pointer) {
		handle e = d.event();
		GOOD(cuEventRecord(e, d.stream));
		return cuEventQuery(e);
	});
	refused(RELAXED, 907, true, [](device &d, char *, device_pointer) {
		handle e = d.event();
		GOOD(cuEventRecord(e, d.stream));
		return cuEventSynchronize(e);
	});
	refused(RELAXED, 900, true, [](device &d, char *, device_pointer p) {
		std::vector<char> pageable(8);
		return cuMemcpyHtoDAsync_v2(p, pageable.data(), 8, d.stream);
	});
}

void another_thread_may_not_end_it()
{
	device d;
	handle graph;
	GOOD(cuStreamBeginCapture_v2(d.stream, THREAD_LOCAL));
	std::thread([&] {
		device_pointer p;
		GOOD(cuCtxSetCurrent(d.context));
		GOOD(cuMemAlloc_v2(&p, 8)); /* nothing to it */
		ANSWERS(908, cuStreamEndCapture(d.stream, &graph));
	}).join();
	ANSWERS(901, cuStreamEndCapture(d.stream, &graph));
}

/* A capture ends with its stream, and with its context. */
void destroyed_captures_forbid_nothing()
{
	device d;
	handle other = d.another_stream();
	GOOD(cuStreamBeginCapture_v2(other, GLOBAL));
	GOOD(cuStreamDestroy_v2(other));
	d.memory(8);
	GOOD(cuStreamBeginCapture_v2(d.stream, GLOBAL));
	device again;
	again.memory(8);
	CHECK(violations().empty());
}

void captures_do_not_mix()
{
	device d;
	handle graph, other = d.another_stream(), blocking = d.another_stream(0), e = d.event();
	ANSWERS(401, cuStreamEndCapture(d.stream, &graph));
	ANSWERS(900, cuStreamBeginCapture_v2(nullptr, RELAXED));
	GOOD(cuStreamBeginCapture_v2(d.stream, RELAXED));
	GOOD(cuStreamBeginCapture_v2(other, RELAXED));
	GOOD(cuEventRecord(e, d.stream));
	ANSWERS(902, cuStreamWaitEvent(other, e, 0));
	ANSWERS(901, cuStreamEndCapture(d.stream, &graph));
	ANSWERS(901, cuStreamEndCapture(other, &graph));
	GOOD(cuStreamBeginCapture_v2(d.stream, RELAXED));
	GOOD(cuEventRecord(e, d.stream));
	GOOD(cuStreamWaitEvent(other, e, 0));
	ANSWERS(903, cuStreamEndCapture(other, &graph));
	ANSWERS(901, cuStreamEndCapture(d.stream, &graph));
	GOOD(cuStreamBeginCapture_v2(blocking, RELAXED));
	ANSWERS(906, cuMemsetD8Async(d.memory(1), 0, 1, nullptr));
	ANSWERS(901, cuStreamEndCapture(blocking, &graph));
}
} // namespace

const test capture_tests[] = {{"a_graph_runs_when_launched", a_graph_runs_when_launched},
                              {"launches_of_one_graph_are_ordered", launches_of_one_graph_are_ordered},
                              {"graph_copies_are_watched_too", graph_copies_are_watched_too},
                              {"forks_join", forks_join},
                              {"branches_have_no_order", branches_have_no_order},
                              {"what_a_capture_refuses", what_a_capture_refuses},
                              {"another_thread_may_not_end_it", another_thread_may_not_end_it},
                              {"destroyed_captures_forbid_nothing", destroyed_captures_forbid_nothing},
                              {"captures_do_not_mix", captures_do_not_mix},
                              {nullptr, nullptr}};
