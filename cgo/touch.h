/* touch.h owns the first touch of memory beside work that must not wait for it. */
#ifndef CHIMERA_TOUCH_H
#define CHIMERA_TOUCH_H
#include <stddef.h>
#include <stdint.h>

/* touch_idle has the kernel give the pages of memory, which others may use meanwhile, on a thread that runs when
 * nothing else wants its core. It waits for it and returns the time that it took of a core, in nanoseconds. */
int64_t touch_idle(uint8_t *memory, size_t bytes);
#endif
