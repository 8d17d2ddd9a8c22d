/* draw_probe.cu owns a kernel that lays bare what a draw only uses: sums of weights, where walks end, classes. */
#include "../draw.cuh"
#include "draw_probe.h"

KERNEL(draw_probe, 1024)(struct draw_probe_args *a)
{
	__shared__ struct sampler s;
	struct weights w = {a->weights, a->list, a->n, a->chunk};
	sum_chunks(&w);
	for (int i = 0; i <= a->n; i++) {
		double mass = mass_of(&s, &w, i);
		int place = place_of(&s, &w, a->n, PASSES, mass);
		if (threadIdx.x == 0) {
			a->mass[i] = mass;
			a->place[i] = place;
		}
	}
	int smallest = smallest_class(&s, &w, a->output, mass_of(&s, &w, a->n));
	if (threadIdx.x == 0)
		a->smallest_class = smallest;
}
