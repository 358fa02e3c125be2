// For launches whose blocks are all resident, so that they can wait for one another.

#ifndef WAIT
#define WAIT  // nothing: only blocks that share a core have to yield it
#endif

// Waits until every block has come here; what they wrote before can then be read. `arrived` counts how many have come
// to all meetings so far, `turn` the meetings. Nothing but the count is atomic, and no result depends on its order.
__device__ inline void meet(Int *arrived, Int &turn) {
    __syncthreads();
    if (gridDim.x == 1) return;
    turn++;
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd((unsigned long long *)arrived, 1ull);
        while (*(volatile Int *)arrived < turn * gridDim.x) WAIT;
        __threadfence();
    }
    __syncthreads();
}
