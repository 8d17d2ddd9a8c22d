/* control.cc owns what tests ask of the fake beside the driver's calls: settings, faults, counts, lists. */
#include "fake_cuda.h"
#include "driver.h"
#include <stdlib.h>

namespace
{
std::vector<std::string> split(const std::string &text, char at)
{
	std::vector<std::string> parts(1);
	for (char c : text)
		if (c == at)
			parts.emplace_back();
		else
			parts.back() += c;
	return parts;
}

/* A whole decimal number; false if text is something else. */
bool number(const std::string &text, long &to)
{
	char *end;
	to = strtol(text.c_str(), &end, 10);
	return !text.empty() && !*end && to >= 0;
}

/* A number with K, M or G for powers of 1024. */
bool bytes(std::string text, size_t &to)
{
	static const std::string units = "KMG";
	size_t unit = text.empty() ? std::string::npos : units.find(text.back());
	long n;
	if (unit != std::string::npos)
		text.pop_back();
	if (!number(text, n))
		return false;
	to = (size_t)n << (unit == std::string::npos ? 0 : 10 * (unit + 1));
	return true;
}

bool capability(const std::string &text, settings &s)
{
	auto parts = split(text, '.');
	long major, minor;
	if (parts.size() != 2 || !number(parts[0], major) || !number(parts[1], minor))
		return false;
	s.major = (int)major;
	s.minor = (int)minor;
	return true;
}

bool add_fault(const std::string &text, settings &s)
{
	auto parts = split(text, ':');
	long code;
	fault f;
	if (parts.size() < 3 || parts.size() > 4 || parts[0].empty() || !number(parts[1], f.nth) ||
	    !number(parts[2], code) || (parts.size() == 4 && !number(parts[3], f.hang_ms)))
		return false;
	f.name = parts[0];
	f.code = (int)code;
	s.faults.push_back(f);
	return true;
}

bool choose_order(const std::string &text)
{
	emulation.reverse = text == "reverse";
	return text == "reverse" || text == "forward";
}

/* Sets one field; false if key or value is none. */
bool set(const std::string &key, const std::string &value, settings &s)
{
	long n = 0;
	if (key == "names")
		return s.names = split(value, '|'), true;
	if (key == "memory")
		return bytes(value, s.memory);
	if (key == "capability")
		return capability(value, s);
	if (key == "fault")
		return add_fault(value, s);
	if (key == "order")
		return choose_order(value);
	if (!number(value, n))
		return false;
	if (key == "seed")
		return emulation.seed = (uint64_t)n, true;
	if (key == "poison")
		return emulation.poison_shared = n != 0, true;
	int *field = key == "devices"   ? &s.devices
	             : key == "driver"  ? &s.driver
	             : key == "init"    ? &s.init
	             : key == "queries" ? &s.queries
	                                : nullptr;
	return field && (*field = (int)n, true);
}

const char *configure(const char *text)
{
	static std::string wrong;
	for (const std::string &part : split(text, ';')) {
		size_t equals = part.find('=');
		if (part.empty())
			continue;
		if (equals == std::string::npos || !set(part.substr(0, equals), part.substr(equals + 1), fake.set)) {
			wrong = "fake CUDA driver: setting \"" + part + "\" is unknown or has no such value";
			return wrong.c_str();
		}
	}
	fake.primary.resize((size_t)fake.set.devices > fake.primary.size() ? (size_t)fake.set.devices
	                                                                   : fake.primary.size());
	return nullptr;
}

/* From the environment: what a child process is given. A mistake there must not pass unseen. */
__attribute__((constructor)) void load()
{
	fake.set = settings();
	emulation = emulation_options();
	const char *text = getenv("FAKE_CUDA");
	const char *wrong = configure(text ? text : "");
	if (wrong) {
		fprintf(stderr, "%s\n", wrong);
		abort();
	}
}

template <typename Lines> size_t copy_lines(const Lines &lines, char *to, size_t size)
{
	std::string all;
	for (const std::string &line : lines)
		all += line + "\n";
	if (size)
		to[all.copy(to, size - 1)] = 0;
	return all.size() + 1;
}

template <typename T> uint64_t count_living()
{
	uint64_t n = 0;
	for (auto &[handle, o] : fake.objects)
		n += o->alive && dynamic_cast<T *>(o.get());
	return n;
}
} // namespace

#pragma GCC visibility push(default)

extern "C" const char *fake_cuda_configure(const char *text)
{
	std::lock_guard<std::mutex> lock(the_lock);
	return configure(text);
}

extern "C" void fake_cuda_restore(void)
{
	std::lock_guard<std::mutex> lock(the_lock);
	load();
}

extern "C" void fake_cuda_reset(void)
{
	std::lock_guard<std::mutex> lock(the_lock);
	for (context *c : std::vector<context *>(fake.primary))
		if (c)
			destroy_context(c);
	for (auto &[handle, o] : fake.objects) {
		o->alive = false;
		fake.buried.push_back(std::move(o));
	}
	fake.objects.clear();
	end_hangs();
	fake.calls = fake.abandoned = fake.pageable_copies = 0;
	fake.calls_of.clear();
	fake.log.clear();
	fake.violations.clear();
	load();
}

extern "C" void fake_cuda_count(struct fake_cuda_counts *to)
{
	std::lock_guard<std::mutex> lock(the_lock);
	*to = {};
	to->calls = fake.calls;
	to->device_bytes = live_bytes(DEVICE_MEMORY, nullptr);
	to->host_bytes = live_bytes(HOST_MEMORY, nullptr);
	to->registered_bytes = live_bytes(REGISTERED_MEMORY, nullptr);
	to->contexts = count_living<context>();
	to->streams = count_living<stream>() - fake.default_streams.size();
	to->events = count_living<event>();
	to->modules = count_living<module>();
	to->graphs = count_living<graph>();
	to->graph_execs = count_living<graph_exec>();
	to->abandoned = fake.abandoned;
	to->pageable_copies = fake.pageable_copies;
}

extern "C" uint64_t fake_cuda_calls_of(const char *name)
{
	std::lock_guard<std::mutex> lock(the_lock);
	auto at = fake.calls_of.find(name);
	return at == fake.calls_of.end() ? 0 : at->second;
}

extern "C" size_t fake_cuda_log(char *to, size_t size)
{
	std::lock_guard<std::mutex> lock(the_lock);
	return copy_lines(fake.log, to, size);
}

extern "C" size_t fake_cuda_violations(char *to, size_t size)
{
	std::lock_guard<std::mutex> lock(the_lock);
	return copy_lines(fake.violations, to, size);
}
