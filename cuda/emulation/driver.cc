/* driver.cc owns the way into every call: counting, faults, what the call needs, the log. */
#include "driver.h"
#include <condition_variable>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

driver fake __attribute__((init_priority(200))); /* before control.cc fills it from the environment */
std::mutex the_lock;

namespace
{
std::string running_note;             /* of the call that holds the lock */
constexpr size_t log_lines = 1 << 16; /* older ones are dropped */

/* Wakes calls that hang. It is never destroyed: a process that ends would wait for them. */
std::condition_variable_any &wakeup = *new std::condition_variable_any;

/* Whose answer says nothing against the program. */
bool innocent(int code)
{
	return code == OK || code == OUT_OF_MEMORY || code == NOT_READY || code == NO_DEVICE || code == NOT_SUPPORTED;
}

int check_needs(int needs)
{
	if (needs && !fake.initialised)
		return NOT_INITIALIZED;
	if (needs & NEEDS_CONTEXT) {
		context *c = current();
		if (!c)
			return INVALID_CONTEXT;
		if (!c->alive)
			return CONTEXT_IS_DESTROYED;
	}
	if (needs & UNSAFE_IN_CAPTURE)
		if (auto c = strict_capture()) {
			invalidate(c);
			note("not while a stream is captured");
			return CAPTURE_UNSUPPORTED;
		}
	return OK;
}

int sticky_of(int needs)
{
	context *c = current();
	return (needs & NEEDS_CONTEXT) && c && c->alive ? c->sticky : OK;
}

/* The work of the call, or of what it waited for, may have poisoned its context. */
int with_sticky(int needs, int code)
{
	int sticky = sticky_of(needs);
	return code == OK && sticky ? sticky : code;
}

std::string vformat(const char *format, va_list args)
{
	char text[1024];
	vsnprintf(text, sizeof text, format, args);
	return text;
}

bool is_kernel(const std::string &name) { return name.rfind("kernel/", 0) == 0; }

bool matches(const std::string &pattern, const std::string &name)
{
	return pattern == name || pattern == (is_kernel(name) ? "kernel/" : "*");
}
} // namespace

std::vector<context *> &contexts()
{
	static thread_local std::vector<context *> stack;
	return stack;
}

context *current() { return contexts().empty() ? nullptr : contexts().back(); }

void note(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	running_note += (running_note.empty() ? "" : "; ") + vformat(format, args);
	va_end(args);
}

void violation(const char *kind, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fake.violations.push_back(std::string(kind) + ": " + vformat(format, args));
	va_end(args);
	log_line("  " + fake.violations.back());
}

void log_line(const std::string &line)
{
	fake.log.push_back(line);
	if (fake.log.size() > log_lines)
		fake.log.pop_front();
}

bool is_sticky(int code)
{
	static const int codes[] = {214, 220, 226, 700, 702, 710, 714, 715, 716, 717, 718, 719, 999};
	for (int sticky : codes)
		if (code == sticky)
			return true;
	return false;
}

int due(const std::string &name)
{
	int code = OK;
	long hang_ms = 0;
	for (fault &f : fake.set.faults) {
		if (!matches(f.name, name) || (++f.seen != f.nth && f.nth != 0))
			continue;
		code = code ? code : f.code;
		hang_ms += f.hang_ms;
	}
	if (hang_ms == 0)
		return code;
	if (is_kernel(name)) {
		usleep((useconds_t)hang_ms * 1000);
		return code;
	}
	uint64_t before = fake.resets;
	wakeup.wait_for(the_lock, std::chrono::milliseconds(hang_ms), [&] { return fake.resets != before; });
	return code;
}

void end_hangs()
{
	fake.resets++;
	wakeup.notify_all();
}

int answer(const char *name, int needs, const std::function<int()> &body)
{
	std::lock_guard<std::mutex> lock(the_lock);
	uint64_t number = ++fake.calls, resets = fake.resets;
	fake.calls_of[name]++;
	int code = due(name);
	if (fake.resets != resets) /* what it was called for is gone */
		return CONTEXT_IS_DESTROYED;
	running_note.clear();
	bool injected = code != OK;
	context *c = current();
	if (injected && c && is_sticky(code))
		c->sticky = code;
	bool poisoned = !injected && sticky_of(needs) != OK;
	if (poisoned)
		code = sticky_of(needs);
	if (code == OK)
		code = check_needs(needs);
	if (code == OK)
		code = with_sticky(needs, body());
	log_line(std::to_string(number) + " " + name + (running_note.empty() ? "" : " " + running_note) +
	         (code ? std::string(" -> ") + error_name(code) : ""));
	if (!injected && !poisoned && !innocent(code) && !is_sticky(code))
		violation("use", "call %lu, %s: %s%s%s", (unsigned long)number, name, error_name(code),
		          running_note.empty() ? "" : ": ", running_note.c_str());
	return code;
}

int destroy_context(context *c)
{
	int count = 0;
	for (auto &[handle, o] : fake.objects) {
		if (!o->alive || o->of != c)
			continue;
		if (auto *s = dynamic_cast<stream *>(o.get()))
			s->queue.clear();
		if (auto *a = dynamic_cast<allocation *>(o.get()))
			release(a);
		count += dynamic_cast<function *>(o.get()) == nullptr; /* functions go with their modules, silently */
		o->alive = false;
	}
	if (fake.default_streams.erase(c))
		count--; /* the context's own */
	c->alive = false;
	fake.primary[(size_t)c->device] = nullptr;
	return count;
}
