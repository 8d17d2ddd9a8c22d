/* driver.h owns what the files of the fake driver share: its objects, its settings and the way into a call.
 *
 * The library stands in for libcuda.so.1: the same names and binary interface (written down here, so that tests need no
 * CUDA headers), the kernels of the same sources compiled for the host, and a driver that is as unhelpful as the
 * documentation allows: work runs as late as it may, copies show what they hold too early, memory holds NaNs until
 * written and cannot be touched once freed. What a program does wrong is answered as the driver answers it, and kept
 * in a list that tests read; where the real answer is a crash or silence, a refusal is chosen.
 *
 * One lock guards everything. Objects are marked dead, never deleted: a stale handle is recognised for ever. */
#ifndef CHIMERA_FAKE_DRIVER_H
#define CHIMERA_FAKE_DRIVER_H
#include "block.h"
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <string>
#include <unordered_map>
#include <vector>

#define FAKE_PUBLIC extern "C" __attribute__((visibility("default")))

typedef uint64_t device_pointer; /* CUdeviceptr: an address of this process */

/* The driver's result codes that the fake gives by itself. Faults give any. */
enum {
	OK = 0,
	INVALID_VALUE = 1,
	OUT_OF_MEMORY = 2,
	NOT_INITIALIZED = 3,
	NO_DEVICE = 100,
	INVALID_DEVICE = 101,
	INVALID_IMAGE = 200,
	INVALID_CONTEXT = 201,
	INVALID_HANDLE = 400,
	ILLEGAL_STATE = 401,
	NOT_FOUND = 500,
	NOT_READY = 600,
	ILLEGAL_ADDRESS = 700,
	CONTEXT_IS_DESTROYED = 709,
	HOST_MEMORY_ALREADY_REGISTERED = 712,
	HOST_MEMORY_NOT_REGISTERED = 713,
	MISALIGNED_ADDRESS = 716,
	LAUNCH_FAILED = 719,
	NOT_SUPPORTED = 801,
	CAPTURE_UNSUPPORTED = 900,
	CAPTURE_INVALIDATED = 901,
	CAPTURE_MERGE = 902,
	CAPTURE_UNMATCHED = 903,
	CAPTURE_UNJOINED = 904,
	CAPTURE_ISOLATION = 905,
	CAPTURE_IMPLICIT = 906,
	CAPTURED_EVENT = 907,
	CAPTURE_WRONG_THREAD = 908,
};

/* --- objects --- */

struct context;

struct object {
	bool alive = true;
	context *of = nullptr;
	virtual ~object() {}
};

struct context : object { /* the primary context of a device */
	int device = 0;
	int retained = 0;
	int sticky = OK; /* once set, every call in the context answers it */
};

struct module : object {
};

struct function : object {
	module *in = nullptr;
	std::string name;
	void (*kernel)(const void *) = nullptr;
	int bound = 1024; /* threads of a block */
};

struct stream;
struct recording;

enum work { COPY_IN, COPY_OUT, COPY_WITHIN, FILL, KERNEL, RECORD, WAIT, GRAPH };

/* One thing that a stream has to do, or a node of a graph. */
struct operation {
	work kind = RECORD;
	uint64_t to = 0, from = 0; /* copies; FILL uses `to` */
	size_t bytes = 0;
	int value = 0; /* FILL */
	const function *what = nullptr;
	dim3 grid, block;
	device_pointer arg = 0;
	std::shared_ptr<operation> until;    /* WAIT; GRAPH: the launch before of the same executable graph */
	std::shared_ptr<recording> recorded; /* GRAPH */

	stream *home = nullptr;
	uint64_t call = 0;   /* number of the driver call that queued it */
	uint64_t digest = 0; /* COPY_IN: of the source when queued */
	std::string staged;  /* COPY_IN from pageable memory: the source, which the driver reads before it returns */
	bool pageable = false;
	bool unmarked = false; /* COPY_OUT: to memory that its stream has still to read */
	bool done = false;
	std::chrono::steady_clock::time_point at; /* when it was */
};
typedef std::shared_ptr<operation> operation_ptr;

struct capture;

struct stream : object {
	bool blocking = false; /* waits for the default stream, and that for it */
	std::deque<operation_ptr> queue;
	std::shared_ptr<capture> capturing;
	std::vector<int> tail; /* while capturing: nodes that the next one depends on */
};

struct event : object {
	bool timed = true;
	operation_ptr recorded;
	int queries = 0; /* that were answered "not ready" since it was recorded */
	std::shared_ptr<capture> captured;
	std::vector<int> tail;
};

/* The nodes of a graph; each comes after all that it depends on. */
struct recording {
	std::vector<operation> nodes;
	std::vector<std::vector<int>> after;
};

struct capture {
	stream *origin = nullptr;
	int mode = 0;
	pthread_t thread;
	bool invalid = false, ended = false;
	recording nodes;
	std::vector<stream *> members;
};

struct graph : object {
	recording nodes;
};

struct graph_exec : object {
	recording nodes;
	operation_ptr last; /* launch */
};

enum memory_kind { DEVICE_MEMORY, HOST_MEMORY, REGISTERED_MEMORY };

struct allocation : object {
	memory_kind kind = DEVICE_MEMORY;
	uint64_t base = 0;
	size_t bytes = 0;
	char *map = nullptr; /* of map_bytes, with a page at each end that cannot be touched; NULL if registered */
	size_t map_bytes = 0;
};

/* --- settings and state --- */

struct fault {
	std::string name; /* of a call, "*" for any; "kernel/NAME" for a run of a kernel, "kernel/" for any */
	long nth = 1;     /* 0 for each */
	int code = OK;
	long hang_ms = 0;
	long seen = 0;
};

struct settings {
	int devices = 1;
	std::vector<std::string> names = {"Fake GPU"}; /* the last one serves the devices beyond */
	size_t memory = (size_t)1 << 30;
	int major = 9, minor = 0;
	int driver = 13000;
	int init = OK;   /* what cuInit answers */
	int queries = 2; /* "not ready" answers before cuEventQuery lets the work run */
	std::vector<fault> faults;
};

struct driver {
	settings set;
	bool initialised = false;
	std::unordered_map<const void *, std::unique_ptr<object>> objects; /* all that were since the last reset */
	std::vector<std::unique_ptr<object>> buried; /* those before it, so that no handle comes again */
	uint64_t resets = 0;
	std::vector<context *> primary;             /* by device; NULL until retained */
	std::map<uint64_t, allocation *> memory[3]; /* by kind, then base; the dead ones too */
	std::map<const context *, stream *> default_streams;
	uint64_t calls = 0;
	std::map<std::string, uint64_t> calls_of;
	std::deque<std::string> log;
	std::vector<std::string> violations;
	uint64_t abandoned = 0;       /* objects that were alive when their context went */
	uint64_t pageable_copies = 0; /* copies from or to memory that is not pinned */
};
extern driver fake;
extern std::mutex the_lock;

template <typename T> T *make(context *of)
{
	T *made = new T;
	made->of = of;
	fake.objects.emplace(made, std::unique_ptr<object>(made));
	return made;
}

/* The living object behind a handle, or NULL. */
template <typename T> T *find(const void *handle)
{
	auto at = fake.objects.find(handle);
	return at != fake.objects.end() && at->second->alive ? dynamic_cast<T *>(at->second.get()) : nullptr;
}

/* --- into a call (driver.cc) --- */

enum need {
	NEEDS_NOTHING = 0,
	NEEDS_INIT = 1,
	NEEDS_CONTEXT = 2,    /* a healthy current one */
	UNSAFE_IN_CAPTURE = 4 /* fails, and spoils the capture, while a stream is captured globally or by this thread */
};

/* Every entry point is one of these: counts, logs, answers with a fault that is due, checks what the call needs, then
 * does body under the lock. */
int answer(const char *name, int needs, const std::function<int()> &body);

context *current();                 /* of this thread, or NULL */
std::vector<context *> &contexts(); /* of this thread, the current one last */

/* Adds to the log line of the running call. */
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);
/* Keeps a mistake of the program; kind is "order" or "use". */
__attribute__((format(printf, 2, 3))) void violation(const char *kind, const char *format, ...);
/* A line of its own in the log. */
void log_line(const std::string &line);
/* The code of a fault that is due for name, after its hang, or OK. While a call hangs the lock is given up, since
 * others go on beside it; while a kernel hangs it is not, since its stream's order must stand. */
int due(const std::string &name);
/* Calls that hang come back at once, and touch nothing. */
void end_hangs();
bool is_sticky(int code);
/* Kills what belongs to the context, memory included; gives how much was alive. */
int destroy_context(context *c);
const char *error_name(int code);

/* --- memory (memory.cc) --- */

allocation *allocate(memory_kind kind, context *of, size_t bytes);
void release(allocation *a);
/* The living allocation of the kind that holds bytes at address, or NULL. */
allocation *holder(memory_kind kind, uint64_t address, size_t bytes);
bool pinned(uint64_t address, size_t bytes);
size_t live_bytes(memory_kind kind, const context *of); /* of any context for NULL */

/* --- streams (queue.cc, capture.cc) --- */

/* The stream of a handle, NULL being the default stream of the current context; NULL if there is none. */
stream *stream_of(void *handle);
/* Puts work behind what the stream has, or into the graph that is being captured. */
int enqueue(stream *s, const operation &op);
/* Runs what must run for op to be done. */
void run_until(const operation_ptr &op);
void run_stream(stream *s);
/* Whether a queued operation touches these bytes: freeing them now would be too early. */
const operation *pending_on(uint64_t address, size_t bytes);
/* Gets an operation ready when its stream takes it: digests, staging, garbage in its destination. */
void prepare(operation &op);

int capture_node(stream *s, const operation &op);
int capture_record(stream *s, event *e);
int capture_wait(stream *s, event *e);
void invalidate(const std::shared_ptr<capture> &c);
/* A capture that forbids unsafe calls of this thread, or NULL. */
std::shared_ptr<capture> strict_capture();
#endif
