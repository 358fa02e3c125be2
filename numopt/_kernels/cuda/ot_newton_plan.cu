// Newton's system of a dense plan, two columns of which are rounded to the upper 16 bits of float32 and kept as a pair.
#include "ot_newton.cuh"

struct Pairs {
    unsigned four[4];
};

__device__ inline float left(unsigned pair) { return __uint_as_float(pair << 16); }
__device__ inline float right(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }

// Both products of a step, with PER pairs of columns a thread. A block takes rows b, b + gridDim, ..., two at once while the
// next two are on their way into shared memory: one look gives u_i = scale_i (P_i z) + beta u_i, a second one, at the copy,
// adds to the block's part of P^T u. The few terms of a thread are added up in float32, sums over threads in float64.
extern "C" __global__ void __launch_bounds__(1024)
    cg_plan(const unsigned *P, const double *scale, const float *z, const double *sums, Int parts, const double *before,
            double rtol, Int n, Int m, double *box, double *u, float *own) {
    __shared__ double room[2][32];
    double beta;
    if (!opened(sums, parts, before, rtol, box, beta)) return;
    unsigned *rows = (unsigned *)shared_room();  // four of them
    int me = threadIdx.x, lane = me % 32, warps = blockDim.x / 32, wide = blockDim.x, pairs = (int)(m / 2);
    Int step = gridDim.x;
    auto fetch = [&](Int i, unsigned *to) {
        for (int k = me; i < n && k < pairs / 4; k += wide)
            send((Pairs *)to + k, (const Pairs *)(P + i * pairs) + k);
    };
    fetch(blockIdx.x, rows);
    fetch(blockIdx.x + step, rows + pairs);
    sent();
    fetch(blockIdx.x + 2 * step, rows + 2 * pairs);
    fetch(blockIdx.x + 3 * step, rows + 3 * pairs);
    sent();
    float at[2 * PER], total[2 * PER];
#pragma unroll
    for (int k = 0; k < PER; k++) {
        int j = k * wide + me;
        at[2 * k] = j < pairs ? z[2 * j] : 0.0f;
        at[2 * k + 1] = j < pairs ? z[2 * j + 1] : 0.0f;
        total[2 * k] = total[2 * k + 1] = 0.0f;
    }
    unsigned *one = rows;
    for (Int i = blockIdx.x; i < n; i += 2 * step) {
        bool both = i + step < n;
        const unsigned *two = both ? one + pairs : one;
        double first = scale[i], second = both ? scale[i + step] : 0.0, old = 0.0, older = 0.0;
        if (beta != 0.0) old = u[i], older = both ? u[i + step] : 0.0;
        arrived<1>();
        __syncthreads();
        float x = 0.0f, y = 0.0f;
#pragma unroll
        for (int k = 0; k < PER; k++) {
            int j = k * wide + me;
            if (j >= pairs) break;
            x += left(one[j]) * at[2 * k] + right(one[j]) * at[2 * k + 1];
            y += left(two[j]) * at[2 * k] + right(two[j]) * at[2 * k + 1];
        }
        double sum = warp_sum(x), other = warp_sum(y);
        if (lane == 0) room[0][me / 32] = sum, room[1][me / 32] = other;
        __syncthreads();
        sum = first * warp_sum(lane < warps ? room[0][lane] : 0.0) + beta * old;
        other = second * warp_sum(lane < warps ? room[1][lane] : 0.0) + beta * older;
        x = (float)sum, y = (float)other;
#pragma unroll
        for (int k = 0; k < PER; k++) {
            int j = k * wide + me;
            if (j >= pairs) break;
            total[2 * k] += x * left(one[j]) + y * left(two[j]);
            total[2 * k + 1] += x * right(one[j]) + y * right(two[j]);
        }
        __syncthreads();  // all have read these rows, and u
        if (me == 0) u[i] = sum;
        if (me == 0 && both) u[i + step] = other;
        fetch(i + 4 * step, one);
        fetch(i + 5 * step, one + pairs);
        sent();
        one = one == rows ? rows + 2 * pairs : rows;
    }
#pragma unroll
    for (int k = 0; k < PER; k++) {
        int j = k * wide + me;
        if (j >= pairs) break;
        own[blockIdx.x * m + 2 * j] = total[2 * k];
        own[blockIdx.x * m + 2 * j + 1] = total[2 * k + 1];
    }
}

// The same for wider plans, which are read twice: u = scale (P z) + beta u, a block for each row, ...
extern "C" __global__ void cg_plan_rows(const unsigned *P, const double *scale, const float *z, const double *sums,
                                        Int parts, const double *before, double rtol, Int m, double *box, double *u) {
    __shared__ double room[32];
    double beta;
    if (!opened(sums, parts, before, rtol, box, beta)) return;
    Int i = blockIdx.x, pairs = m / 2;
    double total = 0.0;
#pragma unroll 4
    for (Int j = threadIdx.x; j < pairs; j += blockDim.x) {
        unsigned pair = P[i * pairs + j];
        total += left(pair) * z[2 * j] + right(pair) * z[2 * j + 1];
    }
    total = block_sum(total, room);
    if (threadIdx.x == 0) u[i] = scale[i] * total + (beta == 0.0 ? 0.0 : beta * u[i]);
}

// ... and the parts of P^T u: a thread for each pair of columns of a slab of rows.
extern "C" __global__ void cg_plan_columns(const unsigned *P, const double *u, const double *box, Int n, Int m,
                                           Int height, float *own) {
    Int j = blockIdx.x * (Int)blockDim.x + threadIdx.x, low = blockIdx.y * height, pairs = m / 2;
    if (j >= pairs || !(box[RUNNING] > 0.0)) return;
    float one = 0.0f, two = 0.0f;
#pragma unroll 8
    for (Int i = low; i < (low + height < n ? low + height : n); i++) {
        unsigned pair = P[i * pairs + j];
        float by = (float)u[i];
        one += left(pair) * by;
        two += right(pair) * by;
    }
    own[blockIdx.y * m + 2 * j] = one;
    own[blockIdx.y * m + 2 * j + 1] = two;
}

// As cg_columns of a sparse plan, from the parts of P^T u: a block of 256 for 64 columns, each of which has four threads.
extern "C" __global__ void cg_added(const float *own, Int blocks, Int width, const double *diagonal, const double *z,
                                    const double *box, Int m, double *y, double *product, double *curvature) {
    __shared__ double room[32], part[4][64];
    if (!(box[RUNNING] > 0.0)) return;
    int me = threadIdx.x % 64, quarter = threadIdx.x / 64;
    Int j = blockIdx.x * (Int)64 + me;
    double total = 0.0, along = 0.0;
    if (j < m) {
#pragma unroll 8
        for (Int k = quarter; k < blocks; k += 4) total += own[k * width + j];
    }
    part[quarter][me] = total;
    __syncthreads();
    if (quarter == 0 && j < m) {
        total = part[0][me] + part[1][me] + part[2][me] + part[3][me];
        y[j] = z[j] + box[BETA] * y[j];
        product[j] = diagonal[j] * y[j] - total;
        along = product[j] * y[j];
    }
    along = block_sum(along, room);
    if (threadIdx.x == 0) curvature[blockIdx.x] = along;
}

__device__ inline unsigned upper(float x) {
    unsigned bits = __float_as_uint(x);
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

// A plan in float32 rounded to pairs, `width` columns a row, the last of which may be added, and scale = 1 / (P 1) of what
// it became: a block for each row.
extern "C" __global__ void plan_rows(const float *P, Int m, Int width, unsigned *out, double *scale) {
    __shared__ double room[32];
    double total = 0.0;
    Int i = blockIdx.x, pairs = width / 2;
#pragma unroll 4
    for (Int j = threadIdx.x; j < pairs; j += blockDim.x) {
        const float *from = P + i * m + 2 * j;
        unsigned pair = 2 * j < m ? upper(from[0]) | (2 * j + 1 < m ? upper(from[1]) : 0u) << 16 : 0u;
        out[i * pairs + j] = pair;
        total += left(pair) + right(pair);
    }
    total = block_sum(total, room);
    if (threadIdx.x == 0) scale[i] = inverse(total);
}

// Parts of P^T 1 and of the diagonal of P^T diag(scale) P: a thread for each pair of columns of a slab of rows.
extern "C" __global__ void plan_columns(const unsigned *P, const double *scale, Int n, Int m, Int height, double *own) {
    Int j = blockIdx.x * (Int)blockDim.x + threadIdx.x, low = blockIdx.y * height, pairs = m / 2;
    if (j >= pairs) return;
    double one = 0.0, two = 0.0;
    float first = 0.0f, second = 0.0f;
#pragma unroll 8
    for (Int i = low; i < (low + height < n ? low + height : n); i++) {
        unsigned pair = P[i * pairs + j];
        float x = left(pair), y = right(pair), by = (float)scale[i];
        one += x;
        two += y;
        first += by * x * x;
        second += by * y * y;
    }
    double *sums = own + 2 * blockIdx.y * m + 2 * j, *squares = sums + m;
    sums[0] = one;
    sums[1] = two;
    squares[0] = first;
    squares[1] = second;
}

// The diagonal and its inverse without P^T diag(scale) P, from these parts.
extern "C" __global__ void plan_diagonal(const double *own, Int slabs, Int width, const double *b,
                                         double regularization, Int m, double *diagonal, double *jacobi) {
    Int j = blockIdx.x * (Int)blockDim.x + threadIdx.x;
    if (j >= m) return;
    double total = regularization * b[j], squares = 0.0;
    for (Int k = 0; k < slabs; k++) {
        total += own[2 * k * width + j];
        squares += own[(2 * k + 1) * width + j];
    }
    double rest = total - squares, least = 1e-7 * total;
    diagonal[j] = total;
    jacobi[j] = inverse(rest < least ? least : rest);
}
