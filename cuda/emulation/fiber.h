/* fiber.h owns the fibers that play a block's threads: own stacks, switched by hand on one system thread. */
#ifndef CHIMERA_FIBER_H
#define CHIMERA_FIBER_H

struct fiber;

/* A fiber that will run entry from its start; taken from a pool. NULL if there is no memory for its stack.
 * entry never returns: its last call is fiber_leave, and whoever entered then gives the fiber back. */
fiber *fiber_take(void (*entry)(void));
/* Runs f until it leaves; called from the system thread's own stack. */
void fiber_enter(fiber *f);
/* Back to whoever entered; called on a fiber. */
void fiber_leave(void);
/* Forgets what f was doing and gives its stack back. */
void fiber_give(fiber *f);
#endif
