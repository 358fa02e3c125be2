// Passes over the cost of transport; REAL is its dtype, KIND what it is (0: a matrix, 1, 2, 3: distances of points).
// E_ij = (f_i + g_j - C_ij) / reg is always float64.

struct Cost {
    const REAL *C, *X, *YT;
    Int stride, m, d;  // stride: between the rows of C
};

__device__ inline double entry(const Cost &cost, Int i, Int j) {
#if KIND == 0
    return cost.C[i * cost.stride + j];
#else
    REAL total = 0;
    for (Int k = 0; k < cost.d; k++) {  // YT is read along its rows, X_ik is the same for a whole block
        REAL gap = cost.X[i * cost.d + k] - cost.YT[k * cost.m + j];
#if KIND == 3
        total += gap < 0 ? -gap : gap;
#else
        total += gap * gap;
#endif
    }
#if KIND == 2
    return sqrt(total);
#else
    return total;
#endif
#endif
}

// Which entries have E_ij - log_theta >= min(log_a_i, log_b_j), for 1024 columns of a row: a bit for each of 32 columns to a
// lane of the warp.
__device__ inline unsigned chosen(const Cost &cost, const double *f, const double *g, double scale, const double *log_a,
                                  const double *log_b, double log_theta, Int i, Int low) {
    int lane = threadIdx.x % 32;
    double from = f[i], most = log_a[i];
    unsigned own = 0;
#pragma unroll 4
    for (int k = 0; k < 32; k++) {
        Int j = low + 32 * k + lane;
        bool keep = false;
        if (j < cost.m) {
            double least = most < log_b[j] ? most : log_b[j];
            keep = (from + g[j] - entry(cost, i, j)) * scale - log_theta >= least;
        }
        unsigned bits = __ballot_sync(ALL, keep);
        if (lane == k) own = bits;
    }
    return own;
}

// How many there are in each row, and these bits, ceil(m / 1024) * 32 words a row, if there is room for them: a warp for each row.
extern "C" __global__ void count(const REAL *C, const REAL *X, const REAL *YT, Int n, Int m, Int stride, Int d,
                                 const double *f, const double *g, double reg, const double *log_a,
                                 const double *log_b, double log_theta, Int *counts, unsigned *bits) {
    Cost cost = {C, X, YT, stride, m, d};
    int lane = threadIdx.x % 32, found = 0;
    Int i = (blockIdx.x * (Int)blockDim.x + threadIdx.x) / 32, words = (m + 1023) / 1024 * 32;
    if (i >= n) return;
    for (Int low = 0; low < m; low += 1024) {
        unsigned own = chosen(cost, f, g, 1.0 / reg, log_a, log_b, log_theta, i, low);
        if (bits) bits[i * words + low / 32 + lane] = own;
        found += __popc(own);
    }
    for (int step = 16; step > 0; step /= 2) found += __shfl_down_sync(ALL, found, step);
    if (lane == 0) counts[i] = found;
}

// These entries, ordered by columns; without the bits the cost is read once more.
extern "C" __global__ void extract(const REAL *C, const REAL *X, const REAL *YT, Int n, Int m, Int stride, Int d,
                                   const double *f, const double *g, double reg, const double *log_a,
                                   const double *log_b, double log_theta, const unsigned *bits, const Int *indptr,
                                   double *data, int *indices) {
    Cost cost = {C, X, YT, stride, m, d};
    int lane = threadIdx.x % 32;
    Int i = (blockIdx.x * (Int)blockDim.x + threadIdx.x) / 32, words = (m + 1023) / 1024 * 32;
    if (i >= n) return;
    Int at = indptr[i];
    for (Int low = 0; low < m; low += 1024) {
        unsigned own = bits ? bits[i * words + low / 32 + lane]
                            : chosen(cost, f, g, 1.0 / reg, log_a, log_b, log_theta, i, low);
        int before = __popc(own), all;
        for (int step = 1; step < 32; step *= 2) {
            int other = __shfl_up_sync(ALL, before, step);
            if (lane >= step) before += other;
        }
        all = __shfl_sync(ALL, before, 31);
        Int to = at + before - __popc(own);
        for (; own; own &= own - 1, to++) {
            Int j = low + 32 * lane + __ffs(own) - 1;
            data[to] = exp(clamped(((g[j] - entry(cost, i, j)) + f[i]) / reg));
            indices[to] = (int)j;
        }
        at += all;
    }
}

// NaN stays.
__device__ inline REAL smaller(REAL x, REAL y) { return y < x || y != y ? y : x; }

// The smallest entry of each row, and the largest that is finite: a warp for each row.
extern "C" __global__ void row_minima(const REAL *C, const REAL *X, const REAL *YT, Int n, Int m, Int stride, Int d,
                                      REAL *rows, REAL *highs) {
    Cost cost = {C, X, YT, stride, m, d};
    int lane = threadIdx.x % 32;
    Int i = (blockIdx.x * (Int)blockDim.x + threadIdx.x) / 32;
    if (i >= n) return;
    REAL least = INF, high = -INF;
#pragma unroll 8
    for (Int j = lane; j < m; j += 32) {
        REAL c = entry(cost, i, j);
        least = smaller(least, c);
        if (c > high && c < (REAL)INF) high = c;
    }
    for (int step = 16; step > 0; step /= 2) {
        least = smaller(least, __shfl_down_sync(ALL, least, step));
        REAL other = __shfl_down_sync(ALL, high, step);
        high = other > high ? other : high;
    }
    if (lane == 0) {
        rows[i] = least;
        highs[i] = high;
    }
}

// The smallest entry of each column of C - rows, rows that are not finite being 0, in each slab of rows.
extern "C" __global__ void column_minima(const REAL *C, const REAL *X, const REAL *YT, Int n, Int m, Int stride, Int d,
                                         const REAL *rows, Int height, REAL *parts) {
    Cost cost = {C, X, YT, stride, m, d};
    Int j = blockIdx.x * (Int)blockDim.x + threadIdx.x, low = blockIdx.y * height;
    if (j >= m) return;
    REAL least = INF;
#pragma unroll 8
    for (Int i = low; i < (low + height < n ? low + height : n); i++)
        least = smaller(least, entry(cost, i, j) - (isfinite(rows[i]) ? rows[i] : (REAL)0));
    parts[blockIdx.y * m + j] = least;
}
