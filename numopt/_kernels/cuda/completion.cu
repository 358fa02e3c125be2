// Least squares of the rows of a factor, whose Gram matrices are formed in float64 by the tensor cores.
//
// K is k rounded up to a multiple of 16 and REAL the dtype of values and factors. A warp takes a row, four warps one
// with many entries, or any if K > 32. Lane 4 r + e of a warp reads the K / 8 neighbours of piece r of the row of V
// that entry e of four has: those are, one by one, the fragments that the product of matrices wants, of an order of
// coordinates in which number 8 f + r stands for PIECE r + f.

#define PIECE (K / 8)
#define BLOCKS (K / 16 * (K / 16 + 1))  // of 16 x 8 that hold the lower triangle
#define WARPS 4
#define TEAMS (K > 32 ? 1 : WARPS)
#define AHEAD 4                   // gathers in flight, of a warp
#define RESIDENT (K > 32 ? 2 : 4)  // blocks of `half_step` that share a multiprocessor

struct __align__(PIECE * sizeof(REAL) % 16 ? 8 : 16) Piece {
    REAL v[PIECE];
};

struct __align__(16) Pair {
    double even, odd;
};

// What one row needs beside its entries; columns begin where pairs do.
struct __align__(16) Row {
    double G[K][K + 1], column[2][K + 2], right[K], ridge[K], diagonal[K], u[K], square, sums[WARPS];
};

// c += a b for a of 16 x 4, b of 4 x 8 and c of 16 x 8, spread over a warp as the instruction has them.
__device__ inline void multiply(double *c, double a, double under, double b) {
#if __CUDA_ARCH__ >= 900
    asm("mma.sync.aligned.m16n8k4.row.col.f64.f64.f64.f64 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
        : "d"(a), "d"(under), "d"(b));
#elif __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
        : "+d"(c[0]), "+d"(c[1])
        : "d"(a), "d"(b));
    asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
        : "+d"(c[2]), "+d"(c[3])
        : "d"(under), "d"(b));
#else
    const int lane = threadIdx.x % 32;
    for (int e = 0; e < 4; e++) {
        double here = __shfl_sync(ALL, a, lane / 4 * 4 + e), below = __shfl_sync(ALL, under, lane / 4 * 4 + e);
        for (int q = 0; q < 2; q++) {
            double other = __shfl_sync(ALL, b, lane % 4 * 8 + q * 4 + e);
            c[q] += here * other;
            c[q + 2] += below * other;
        }
    }
#endif
}

// The sum over the lanes that hold pieces of one entry, and over those that hold one piece of four entries.
__device__ inline double over_pieces(double x) {
    for (int step = 4; step < 32; step *= 2) x += __shfl_xor_sync(ALL, x, step);
    return x;
}
__device__ inline double over_entries(double x) {
    x += __shfl_xor_sync(ALL, x, 1);
    return x + __shfl_xor_sync(ALL, x, 2);
}

// Calls visit(piece of v_j, w, b, b - v_j.x, q) for four entries at a time, of which those beyond the last one repeat it
// with w = 0. x counts if there is something `moved`; b is 1 if there is no y.
template <class Visit>
__device__ __forceinline__ void each(const REAL *y, const int *index, const REAL *weights, const REAL *offset,
                                     const Piece *V, Int low, Int after, Int stride, bool moved, const double (&x)[PIECE],
                                     Visit visit) {
    const int lane = threadIdx.x % 32;
    for (; low < after; low += stride) {
        const Int q = low + lane;
        const bool there = q < after;
        const int j = index[there ? q : after - 1];
        const double w = !there ? 0.0 : weights ? (double)weights[q] : 1.0;
        const double b = !there ? 0.0 : (y ? (double)y[q] : 1.0) - (offset ? (double)offset[j] : 0.0);
        for (int begin = 0; begin < 32 && low + begin < after; begin += 4 * AHEAD) {
            Piece ahead[AHEAD];
#pragma unroll
            for (int s = 0; s < AHEAD; s++) {
                const int from = __shfl_sync(ALL, j, begin + 4 * s + lane % 4);
                ahead[s] = V[(Int)from * 8 + lane / 4];
            }
#pragma unroll
            for (int s = 0; s < AHEAD; s++) {
                const int e = begin + 4 * s;
                if (low + e >= after) break;
                double v[PIECE], target = __shfl_sync(ALL, b, e + lane % 4), r = target;
#pragma unroll
                for (int f = 0; f < PIECE; f++) v[f] = ahead[s].v[f];
                if (moved) {
                    double dot = 0.0;
#pragma unroll
                    for (int f = 0; f < PIECE; f++) dot += v[f] * x[f];
                    r -= over_pieces(dot);
                }
                visit(v, __shfl_sync(ALL, w, e + lane % 4), target, r, low + e + lane % 4);
            }
        }
    }
}

// The place in `order` of the row of a warp: `shared` rows have all warps of a block, the others one. Beyond m is none.
__device__ inline Int place(Int shared) {
    return blockIdx.x < shared ? (Int)blockIdx.x : shared + (blockIdx.x - shared) * WARPS + threadIdx.x / 32;
}

// Minimises sum w (y - o_j - (base + u).v_j)^2 + scale sum_a ridge_a u_a^2 over the row u; weights, offset, scale and
// base may be null. `order` lists the m rows. V has K columns. sums, of w r^2, may be null.
extern "C" __global__ void __launch_bounds__(128, RESIDENT) half_step(
    const REAL *y, const int *index, const Int *start, const REAL *weights, const Int *order, Int m, Int shared,
    const REAL *V, Int k, const REAL *offset, const double *ridge, const REAL *scale, const REAL *base, double floor,
    REAL *U, double *sums) {
    __shared__ Row rooms[TEAMS];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const bool together = blockIdx.x < shared;
    if (place(shared) >= m) return;
    const int warps = together ? WARPS : 1, turn = together ? warp : 0, t = turn * 32 + lane;
    Row &row = rooms[TEAMS == 1 || together ? 0 : warp];
    auto meet = [&] {
        if (together)
            __syncthreads();
        else
            __syncwarp();
    };
    const Int i = order[place(shared)], first = start[i], after = start[i + 1];
    double x[PIECE] = {}, right[PIECE] = {}, square = 0.0, gram[BLOCKS][4] = {};
    if (base)
#pragma unroll
        for (int f = 0; f < PIECE; f++) {
            int p = lane / 4 * PIECE + f;
            x[f] = p < k ? (double)base[i * k + p] : 0.0;
        }
    each(y, index, weights, offset, (const Piece *)V, first + 32 * turn, after, 32 * warps, base != nullptr, x,
         [&](const double *v, double w, double, double b, Int) {
             double left[PIECE];
#pragma unroll
             for (int f = 0; f < PIECE; f++) {
                 left[f] = w * v[f];
                 right[f] += left[f] * b;
             }
             square += w * b * b;
#pragma unroll
             for (int p = 0; p < K / 16; p++)
#pragma unroll
                 for (int q = 0; q < 2 * p + 2; q++) multiply(gram[p * (p + 1) + q], left[2 * p], left[2 * p + 1], v[q]);
         });
    square = over_entries(square);
#pragma unroll
    for (int f = 0; f < PIECE; f++) right[f] = over_entries(right[f]);
    for (int w = 0; w < warps; w++) {  // adds up what the warps have, in their order
        if (w == turn) {
#pragma unroll
            for (int p = 0; p < K / 16; p++)
#pragma unroll
                for (int q = 0; q < 2 * p + 2; q++)
#pragma unroll
                    for (int c = 0; c < 4; c++) {
                        double &sum = row.G[16 * p + c / 2 * 8 + lane / 4][8 * q + lane % 4 * 2 + c % 2];
                        sum = (w ? sum : 0.0) + gram[p * (p + 1) + q][c];
                    }
            if (lane % 4 == 0)
#pragma unroll
                for (int f = 0; f < PIECE; f++) {
                    double &sum = row.right[8 * f + lane / 4];
                    sum = (w ? sum : 0.0) + right[f];
                }
            if (lane == 0) row.square = (w ? row.square : 0.0) + square;
        }
        meet();
    }
    double trace = 0.0;
    for (int p = lane; p < K; p += 32) trace += row.G[p][p];
    trace = warp_sum(trace);
    const bool mine = t < K;  // thread t has line t of the matrix
    const int p = t % 8 * PIECE + t / 8;
    double line[K], z = 0.0, inverse = 0.0;
    if (mine) {
#pragma unroll
        for (int q = 0; q < K; q++) line[q] = row.G[t][q];
        row.diagonal[t] = row.G[t][t];
        row.ridge[t] = p < k ? (scale ? (double)scale[i] : 1.0) * ridge[p] + floor * trace + (trace == 0.0) : 1.0;
        z = row.right[t];
    }
#pragma unroll
    for (int c = 0; c < K; c++) {  // L D L^T; what lies above the diagonal is never used
        double *column = row.column[c % 2];
        if (mine) column[t] = line[c] + (t == c ? row.ridge[t] : 0.0);
        if (t == c) column[K] = z;
        meet();
        const double d = 1.0 / column[c], l = line[c] * d;
        if (mine) {
            row.G[t][c] = l;
            if (t == c) inverse = d;
            if (t > c) z -= l * column[K];
#pragma unroll
            for (int h = (c + 1) / 2; h < K / 2; h++) {
                const Pair other = ((const Pair *)column)[h];
                if (2 * h > c) line[2 * h] -= l * other.even;
                line[2 * h + 1] -= l * other.odd;
            }
        }
    }
    z *= inverse;
    for (int c = K - 1; c >= 0; c--) {
        if (t == c) row.u[c] = z;
        meet();
        if (t < c) z -= row.G[c][t] * row.u[c];
    }
    if (mine && p < k) U[i * k + p] = (REAL)z;
    if (!sums) return;
    // sum w r^2 = sum w b^2 - right.u - sum ridge u^2, to about eps (sum w b^2 + (sum |u| sqrt(diagonal))^2).
    double less = 0.0, size = 0.0;
    for (int q = lane; q < K; q += 32) {
        const double u = row.u[q];
        less += u * row.right[q] + row.ridge[q] * u * u;
        size += fabs(u) * sqrt(row.diagonal[q]);
    }
    less = warp_sum(less);
    size = warp_sum(size);
    double total = row.square - less;
    if (total < (sizeof(REAL) == 4 ? 1e-8 : 1e-4) * (row.square + size * size)) {  // too few digits: a second look
#pragma unroll
        for (int f = 0; f < PIECE; f++) x[f] += row.u[8 * f + lane / 4];
        total = 0.0;
        each(y, index, weights, offset, (const Piece *)V, first + 32 * turn, after, 32 * warps, true, x,
             [&](const double *, double w, double, double r, Int) { total += w * r * r; });
        total = over_entries(total);
        if (lane == 0) row.sums[turn] = total;
        meet();
        total = 0.0;
        for (int w = 0; w < warps; w++) total += row.sums[w];
    }
    if (t == 0) sums[i] = total;
}

// g_i = sum w r v_j with r = y - o_j - u_i.v_j, size_i = |sum w (y - o_j) v_j|^2 and sums_i = sum w r^2; the residuals
// themselves in the order of the entries. What is null is not computed; without y and U, r is 1.
extern "C" __global__ void __launch_bounds__(128) look(
    const REAL *y, const int *index, const Int *start, const REAL *weights, const Int *order, Int m, Int shared,
    const REAL *V, Int k, const REAL *offset, const REAL *U, REAL *g, double *size, double *sums, REAL *residuals) {
    __shared__ double rooms[WARPS][2 * K + 1];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const bool together = blockIdx.x < shared;
    if (place(shared) >= m) return;
    const int warps = together ? WARPS : 1, turn = together ? warp : 0;
    const Int i = order[place(shared)], first = start[i], after = start[i + 1];
    double x[PIECE] = {}, pull[PIECE] = {}, push[PIECE] = {}, square = 0.0;
    if (U)
#pragma unroll
        for (int f = 0; f < PIECE; f++) {
            int p = lane / 4 * PIECE + f;
            x[f] = p < k ? (double)U[i * k + p] : 0.0;
        }
    each(y, index, weights, offset, (const Piece *)V, first + 32 * turn, after, 32 * warps, U != nullptr, x,
         [&](const double *v, double w, double b, double r, Int q) {
             if (g)
#pragma unroll
                 for (int f = 0; f < PIECE; f++) pull[f] += w * r * v[f];
             if (size)
#pragma unroll
                 for (int f = 0; f < PIECE; f++) push[f] += w * b * v[f];
             square += w * r * r;
             if (residuals && lane < 4 && q < after) residuals[q] = (REAL)r;
         });
    square = over_entries(square);
#pragma unroll
    for (int f = 0; f < PIECE; f++) {
        pull[f] = over_entries(pull[f]);
        push[f] = over_entries(push[f]);
        if (lane % 4 == 0) {
            rooms[warp][lane / 4 * PIECE + f] = pull[f];
            rooms[warp][K + lane / 4 * PIECE + f] = push[f];
        }
    }
    if (lane == 0) rooms[warp][2 * K] = square;
    if (together)
        __syncthreads();
    else
        __syncwarp();
    if (turn > 0) return;
    double norm = 0.0;
    square = 0.0;
    for (int p = lane; p < K; p += 32) {
        double one = 0.0, two = 0.0;
        for (int w = warp; w < warp + warps; w++) {
            one += rooms[w][p];
            two += rooms[w][K + p];
        }
        if (g && p < k) g[i * k + p] = (REAL)one;
        norm += two * two;
    }
    norm = warp_sum(norm);
    for (int w = warp; w < warp + warps; w++) square += rooms[w][2 * K];
    if (size && lane == 0) size[i] = norm;
    if (sums && lane == 0) sums[i] = square;
}
