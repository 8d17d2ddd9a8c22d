/* Small kernels for the tests of the emulation: each shows one thing that it must do or must catch. */
struct job {
	float *in, *out;
	int *integers;
	int count;
};

extern "C" {

__global__ void tree_sum(const job *j) /* block x sums its 256 inputs */
{
	__shared__ float part[256];
	int t = (int)threadIdx.x;
	part[t] = j->in[blockIdx.x * 256 + threadIdx.x];
	__syncthreads();
	for (int n = 128; n > 0; n /= 2) {
		if (t < n)
			part[t] += part[t + n];
		__syncthreads();
	}
	if (t == 0)
		j->out[blockIdx.x] = part[0];
}

__global__ void coordinates(const job *j) /* what each thread thinks it is */
{
	int block = (int)(blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z));
	int thread = (int)(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
	int threads = (int)(blockDim.x * blockDim.y * blockDim.z);
	atomicAdd(&j->integers[block * threads + thread], 1 + thread);
}

__global__ void shuffles(const job *j) /* (8, 32): each lane's answers; the value of lane i is 100 + i */
{
	int lane = (int)threadIdx.x, value = 100 + lane;
	j->integers[0 * 32 + lane] = __shfl_sync(0xffffffffu, value, 5);
	j->integers[1 * 32 + lane] = __shfl_sync(0xffffffffu, value, 3, 8);
	j->integers[2 * 32 + lane] = __shfl_up_sync(0xffffffffu, value, 2);
	j->integers[3 * 32 + lane] = __shfl_down_sync(0xffffffffu, value, 2, 16);
	j->integers[4 * 32 + lane] = __shfl_xor_sync(0xffffffffu, value, 9);
	j->integers[5 * 32 + lane] = (int)__ballot_sync(0xffffffffu, lane % 3 == 0);
	j->integers[6 * 32 + lane] = __any_sync(0xffffffffu, lane == 9) + 2 * __all_sync(0xffffffffu, lane != 9);
	__syncwarp();
	j->integers[7 * 32 + lane] = (int)__shfl_sync(0xffffffffu, 0.5 + lane, 7); /* 8 bytes */
}

__global__ void half_warps(const job *j) /* two groups of one warp, each with its own mask */
{
	int lane = (int)threadIdx.x;
	unsigned mask = lane < 16 ? 0x0000ffffu : 0xffff0000u;
	int value = lane;
	for (int i = lane < 16 ? 1 : 8; i < 16; i *= 2)
		value += __shfl_xor_sync(mask, value, i);
	j->integers[lane] = value;
}

__global__ void atomics(const job *j)
{
	int t = (int)threadIdx.x;
	atomicAdd(&j->integers[0], t);
	atomicMin(&j->integers[1], t - 7);
	atomicMax(&j->integers[2], t);
	atomicCAS(&j->integers[3], t, t + 1); /* each finds what the one before left, in ascending order */
	atomicAdd(&j->out[0], 0.5f);
	atomicMax((unsigned *)&j->integers[4], 0xfffffff0u + (unsigned)(t & 7));
	atomicAdd((unsigned long long *)&j->integers[6], 1ull << 33);
}

__global__ void intrinsics(const job *j)
{
	int *to = j->integers;
	to[0] = __dp4a(0x01ff7f80, 0x02ff7f80, 10); /* 2 + 1 + 16129 + 16384 + 10 */
	to[1] = (int)__dp4a(0x01ff7f80u, 0x02ff7f80u, 10u);
	to[2] = __popc(0xf0f0u);
	to[3] = __clz(1);
	to[4] = __clz(0);
	to[5] = __float_as_int(-0.0f);
	to[6] = __float2int_rn(2.5f);
	to[7] = __float2int_rn(1e30f);
	to[8] = __float2int_rn(__int_as_float(0x7fc00000));
	to[9] = (int)__umulhi(0x80000000u, 6u);
	to[10] = max(3, min(7, 5));
	j->out[0] = fmaf(3, j->in[0], -0.3f); /* one rounding */
	j->out[1] = 3 * j->in[0] - 0.3f;      /* two: nothing may fuse them */
}

__global__ void scale(const job *j) /* no barrier: out = 2 in */
{
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
	if (i < (unsigned)j->count)
		j->out[i] = 2 * j->in[i];
}

__global__ void increment(const job *j) { j->out[threadIdx.x] += 1; }

__global__ void returns_early(const job *j) /* a barrier counts those that are alive */
{
	if ((int)threadIdx.x >= j->count)
		return;
	__syncthreads();
	atomicAdd(&j->integers[0], 1);
}

/* --- mistakes --- */

__global__ void two_barriers(const job *j)
{
	if ((int)threadIdx.x < j->count)
		__syncthreads();
	else
		__syncthreads();
}

__global__ void barrier_and_shuffle(const job *j)
{
	if ((int)threadIdx.x < j->count)
		__syncthreads();
	else
		j->integers[0] = __shfl_sync(0xffffffffu, 1, 0);
}

__global__ void lone_lane(const job *j) /* the others are past it, at the barrier */
{
	if (threadIdx.x == 3)
		__syncwarp();
	__syncthreads();
	j->integers[0] = 1;
}

__global__ void masks_differ(const job *j)
{
	j->integers[0] = __shfl_sync(threadIdx.x < 16 ? ~0u : 0xfffffff0u, 1, 20);
}

__global__ void not_in_mask(const job *j) { j->integers[0] = __shfl_sync(0x0000ffffu, 1, 0); }

__global__ void absent_lane(const job *j) /* launched with 20 threads: lane 4 reads lane 20 */
{
	j->integers[threadIdx.x] = __shfl_down_sync(0xffffffffu, 1, 16);
}

__global__ void bad_width(const job *j) { j->integers[0] = __shfl_sync(0xffffffffu, 1, 0, 12); }

__global__ void traps(const job *j)
{
	if (j->count == (int)threadIdx.x)
		__trap();
}

__global__ void wild(const job *j)
{
	if (threadIdx.x == 5)
		j->out[j->count] = 1;
}

__global__ void forgets_barrier(const job *j) /* thread t reads what thread t + 1 writes */
{
	__shared__ int x[64];
	int t = (int)threadIdx.x;
	x[t] = t;
	j->integers[t] = x[(t + 63) % 64];
}

__global__ void reads_unwritten(const job *j)
{
	__shared__ float never[64];
	if (j->count < 0)
		never[threadIdx.x] = 1;
	__syncthreads();
	j->out[threadIdx.x] = never[threadIdx.x];
}

__global__ void writes_behind(const job *j) { j->out[j->count] = 1; }

__global__ void takes_a_ticket(const job *j) /* each block, in the order that they run in */
{
	j->integers[blockIdx.x + gridDim.x * blockIdx.y] = atomicAdd(&j->integers[gridDim.x * gridDim.y], 1);
}

__global__ void __launch_bounds__(64) bounded(const job *j) { j->integers[threadIdx.x] = 1; }
}

KERNEL_BOUND(bounded, 64)
