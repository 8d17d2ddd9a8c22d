/* layout.h owns what Go asks of C when it lays out a device's memory: sizes of packed forms and KV pages, and
 * rotary frequencies. They are the CPU backend's own, so that both backends mean the same bytes. */
#ifndef CHIMERA_LAYOUT_H
#define CHIMERA_LAYOUT_H
#include "../cgo/kv.h"
#include "interleave.h"
#include "../cgo/rope.h"
#include "plan.h"
#endif
