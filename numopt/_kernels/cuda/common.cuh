// What all sources share. A block has a multiple of 32 threads in one dimension, at most 1024.
// Sums follow a fixed order, and there are no atomics: equal inputs give equal bits.

typedef long long Int;

#define INF __longlong_as_double(0x7ff0000000000000LL)
#define ALL 0xffffffffu

__device__ inline double warp_sum(double x) {
    for (int step = 16; step > 0; step /= 2) x += __shfl_down_sync(ALL, x, step);
    return __shfl_sync(ALL, x, 0);
}

// The sum over the threads of a block, known to all of them; `room` is shared memory for 32 numbers.
__device__ inline double block_sum(double x, double *room) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    x = warp_sum(x);
    __syncthreads();  // the room may still be read from the last time
    if (lane == 0) room[warp] = x;
    __syncthreads();
    return warp_sum(lane < warps ? room[lane] : 0.0);
}

__device__ inline double clamped(double e) { return e < -708.0 ? -708.0 : e > 709.0 ? 709.0 : e; }
