/* main.cc owns the running of the emulation's tests: all names without an argument, or the one that is named. */
#include "calls.h"

int main(int count, char **arguments)
{
	for (const test *tests : {kernel_tests, stream_tests, capture_tests, fault_tests})
		for (; tests->name; tests++) {
			if (count < 2)
				printf("%s\n", tests->name);
			else if (strcmp(arguments[1], tests->name) == 0)
				return tests->run(), 0;
		}
	return count < 2 ? 0 : 2;
}
