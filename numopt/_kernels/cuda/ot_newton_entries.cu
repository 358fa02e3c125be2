// The products with a sparse plan in a step of conjugate gradients.
#include "ot_newton.cuh"

// Sums over an entry's partners gather from a vector of m numbers in no order: where all of it fits into shared memory, HELD
// is 1, each block copies it there, and numbers of rows and columns have 16 bits.
__device__ inline const double *held(const double *x, Int m) {
#if HELD
    double *copy = shared_room();
    for (Int j = threadIdx.x; j < m; j += blockDim.x) send(copy + j, x + j);
    sent();
    arrived<0>();
    __syncthreads();
    return copy;
#else
    return x;
#endif
}

// The sum over entries q, q + 32, ... of each lane; eight loads at once, since each takes as long as hundreds of sums.
__device__ inline double gathered(const float *values, const PLACE *place, const double *x, Int q, Int end) {
    double total = 0.0;
    for (; q < end; q += 256) {
        float value[8];
        int at[8];
#pragma unroll
        for (int k = 0; k < 8; k++) {
            bool there = q + 32 * k < end;
            value[k] = there ? values[q + 32 * k] : 0.0f;
            at[k] = there ? place[q + 32 * k] : place[q];
        }
#pragma unroll
        for (int k = 0; k < 8; k++) total += value[k] * x[at[k]];
    }
    return warp_sum(total);
}

// Where the entries of a line lie. Lines are those of one warp, in turn; the next one is looked up ahead.
struct Lines {
    const Int *start;
    Int count, step, line, low, high;

    __device__ inline Lines(const Int *start, Int count) : start(start), count(count) {
        int warps = blockDim.x / 32;
        step = gridDim.x * (Int)warps;
        line = blockIdx.x * (Int)warps + threadIdx.x / 32;
        look(line);
    }
    __device__ inline void look(Int i) {
        if (i < count) low = start[i], high = start[i + 1];
    }
};

// u = a scale (P z) + beta u, a warp for each row; blocks take rows b, b + gridDim, ... of warps.
extern "C" __global__ void __launch_bounds__(1024, 1)
    cg_rows(const float *p, const PLACE *index, const Int *start, const double *a, const double *scale, const double *z,
            const double *sums, Int parts, const double *before, double rtol, Int n, Int m, double *box, double *u) {
    double beta;
    if (!opened(sums, parts, before, rtol, box, beta)) return;
    const double *from = held(z, m);
    int lane = threadIdx.x % 32;
    for (Lines at(start, n); at.line < n; at.line += at.step) {
        Int i = at.line, low = at.low, high = at.high;
        at.look(i + at.step);
        double weight = a[i], by = weight * scale[i] * weight, old = beta == 0.0 ? 0.0 : u[i];
        double total = gathered(p, index, from, low + lane, high);
        if (lane == 0) u[i] = by * total + beta * old;
    }
}

// y = z + beta y, product = diagonal y - P^T u, a warp for each column, and the parts of the curvature.
extern "C" __global__ void __launch_bounds__(1024, 1)
    cg_columns(const float *turned, const PLACE *row, const Int *start, const double *diagonal, const double *u,
               const double *z, const double *box, Int n, Int m, double *y, double *product, double *curvature) {
    __shared__ double room[32];
    if (!(box[RUNNING] > 0.0)) return;
    const double *from = held(u, n);
    int lane = threadIdx.x % 32;
    double along = 0.0, beta = box[BETA];
    for (Lines at(start, m); at.line < m; at.line += at.step) {
        Int j = at.line, low = at.low, high = at.high;
        at.look(j + at.step);
        double next = z[j] + beta * y[j], by = diagonal[j];
        double total = gathered(turned, row, from, low + lane, high);
        if (lane == 0) {
            y[j] = next;
            product[j] = by * next - total;
            along += product[j] * next;
        }
    }
    along = block_sum(along, room);
    if (threadIdx.x == 0) curvature[blockIdx.x] = along;
}
