// Newton's method of transport: what it needs to know of sparse plans, and all that it does to vectors.
#include "ot_newton.cuh"

// Calls use(e, load(e)) for the entries q, q + 32, ... of each lane, four of them loaded at once: a load takes as long as
// hundreds of sums.
template <class F, class G> __device__ inline void by_fours(Int q, Int end, F load, G use) {
    for (; q < end; q += 128) {
        decltype(load(q)) x[4];
#pragma unroll
        for (int k = 0; k < 4; k++) x[k] = load(q + 32 * k < end ? q + 32 * k : end - 1);
#pragma unroll
        for (int k = 0; k < 4; k++)
            if (q + 32 * k < end) use(q + 32 * k, x[k]);
    }
}

// s = (K w) / a, a warp for each row, and the parts of sum a log s.
extern "C" __global__ void eval_rows(const double *data, const int *index, const Int *start, const double *a,
                                     const double *w, Int n, double *s, double *logs) {
    __shared__ double room[32];
    int lane = threadIdx.x % 32;
    Int i = (blockIdx.x * (Int)blockDim.x + threadIdx.x) / 32;
    double total = 0.0;
    if (i < n) {
        by_fours(start[i] + lane, start[i + 1], [=](Int q) { return data[q] * w[index[q]]; },
                 [&](Int, double x) { total += x; });
        total = warp_sum(total) / a[i];
        if (lane == 0) s[i] = total;
    }
    total = block_sum(i < n && lane == 0 ? a[i] * log(total) : 0.0, room);
    if (threadIdx.x == 0) logs[blockIdx.x] = total;
}

// c = w (K^T (1 / s)), a warp for each column, and the parts of sum b log w and sum |c - b|.
extern "C" __global__ void eval_columns(const double *data, const Int *order, const int *row, const Int *start,
                                        const double *b, const double *w, const double *s, Int m, double *c,
                                        double *sums) {
    __shared__ double room[32];
    int lane = threadIdx.x % 32;
    Int j = (blockIdx.x * (Int)blockDim.x + threadIdx.x) / 32;
    double total = 0.0;
    if (j < m) {
        by_fours(start[j] + lane, start[j + 1], [=](Int q) { return data[order[q]] * inverse(s[row[q]]); },
                 [&](Int, double x) { total += x; });
        total = warp_sum(total) * w[j];
        if (lane == 0) c[j] = total;
    }
    bool counts = j < m && lane == 0;
    double value = block_sum(counts ? b[j] * log(w[j]) : 0.0, room);
    double error = block_sum(counts ? fabs(total - b[j]) : 0.0, room);
    if (threadIdx.x == 0) {
        sums[2 * blockIdx.x] = value;
        sums[2 * blockIdx.x + 1] = error;
    }
}

// sum b log w - sum a log s, and sum |c - b|, from their parts: one block.
extern "C" __global__ void eval_sums(const double *logs, Int rows, const double *sums, Int columns, double *out) {
    __shared__ double room[32];
    double value = 0.0, error = 0.0;
    for (Int k = threadIdx.x; k < columns; k += blockDim.x) {
        value += sums[2 * k];
        error += sums[2 * k + 1];
    }
    for (Int k = threadIdx.x; k < rows; k += blockDim.x) value -= logs[k];
    value = block_sum(value, room);
    error = block_sum(error, room);
    if (threadIdx.x == 0) {
        out[0] = value;
        out[1] = error;
    }
}

// Entries of a row of the plan P = diag(1/s) K diag(w), and scale_i = 1 / sum_j P_ij. Kept are P_ij / a_i in float32: sums of
// these, and hence the matrix, are exact in float64, that of a plan whose entries differ by 6e-8 of themselves.
extern "C" __global__ void pattern_rows(const double *data, const int *index, const Int *start, const double *a,
                                        const double *b, const double *w, const double *s, double drop, Int n,
                                        float *p, double *scale) {
    int lane = threadIdx.x % 32;
    Int i = (blockIdx.x * (Int)blockDim.x + threadIdx.x) / 32;
    if (i >= n) return;
    double total = 0.0, weight = a[i], by = s[i];
    auto share = [=](Int q) {
        Int j = index[q];
        double x = data[q] * w[j] / by;
        return (x >= drop * (weight < b[j] ? weight : b[j]) ? x : 0.0 * x) / weight;
    };
    by_fours(start[i] + lane, start[i + 1], share, [&](Int q, double x) {
        p[q] = (float)x;
        total += (float)x;
    });
    total = warp_sum(total) * weight;
    if (lane == 0) scale[i] = inverse(total);
}

// The same entries by columns, and what stands on the diagonal, with and without the part of P^T diag(scale) P.
extern "C" __global__ void pattern_columns(const float *p, const Int *order, const int *row, const Int *start,
                                           const double *a, const double *scale, const double *b,
                                           double regularization, Int m, float *turned, double *diagonal,
                                           double *jacobi) {
    int lane = threadIdx.x % 32;
    Int j = (blockIdx.x * (Int)blockDim.x + threadIdx.x) / 32;
    if (j >= m) return;
    double total = 0.0, squares = 0.0;
    struct Entry {
        float near;
        double x, square;
    };
    auto entry = [=](Int q) {
        float near = p[order[q]];
        double x = near * a[row[q]];
        return Entry{near, x, x * x * scale[row[q]]};
    };
    by_fours(start[j] + lane, start[j + 1], entry, [&](Int q, Entry e) {
        turned[q] = e.near;
        total += e.x;
        squares += e.square;
    });
    total = warp_sum(total) + regularization * b[j];
    squares = warp_sum(squares);
    if (lane == 0) {
        double least = 1e-14 * b[j], rest = total - squares;
        diagonal[j] = total;
        jacobi[j] = 1.0 / (rest < least ? least : rest);
    }
}

// d = y = 0, r = rhs, z = jacobi r, also rounded if there is room for that, and the sums of r z and |r|.
extern "C" __global__ void cg_start(const double *rhs, const double *jacobi, Int m, double *d, double *r, double *y,
                                    double *z, float *rounded, double *sums) {
    __shared__ double room[32];
    double rz = 0.0, norm = 0.0;
    for (Int j = blockIdx.x * (Int)blockDim.x + threadIdx.x; j < m; j += gridDim.x * (Int)blockDim.x) {
        double scaled = jacobi[j] * rhs[j];
        d[j] = y[j] = 0.0;
        r[j] = rhs[j];
        z[j] = scaled;
        if (rounded) rounded[j] = (float)scaled;
        rz += rhs[j] * scaled;
        norm += fabs(rhs[j]);
    }
    rz = block_sum(rz, room);
    norm = block_sum(norm, room);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = rz;
        sums[PARTS + blockIdx.x] = norm;
    }
}

// d, r and z of the next step, and the sums of r z and |r|.
extern "C" __global__ void cg_vectors(const double *jacobi, const double *product, const double *y,
                                      const double *curvature, Int parts, Int m, double *box, double *d, double *r,
                                      double *z, float *rounded, double *sums) {
    __shared__ double room[32];
    bool running = box[RUNNING] > 0.0, first = blockIdx.x == 0 && threadIdx.x == 0;
    if (!running) {
        if (first) box[MOVING] = 0.0;
        return;
    }
    double curved = 0.0, rz = 0.0, norm = 0.0;
    for (Int k = threadIdx.x; k < parts; k += blockDim.x) curved += curvature[k];
    curved = block_sum(curved, room);
    bool moving = curved > 0.0;
    if (first) box[MOVING] = moving;
    if (!moving) return;
    double alpha = box[RZ] / curved;
    for (Int j = blockIdx.x * (Int)blockDim.x + threadIdx.x; j < m; j += gridDim.x * (Int)blockDim.x) {
        d[j] += alpha * y[j];
        double rest = r[j] - alpha * product[j], scaled = jacobi[j] * rest;
        r[j] = rest;
        z[j] = scaled;
        if (rounded) rounded[j] = (float)scaled;
        rz += rest * scaled;
        norm += fabs(rest);
    }
    rz = block_sum(rz, room);
    norm = block_sum(norm, room);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = rz;
        sums[PARTS + blockIdx.x] = norm;
    }
}

// How many entries of rows 0, step, 2 step, ... of a plan are at least theta min(a_i, b_j): a block for each.
extern "C" __global__ void above(const float *P, const double *a, const double *b, double theta, Int m, Int step,
                                 double *counts) {
    __shared__ double room[32];
    Int i = blockIdx.x * step;
    double found = 0.0;
#pragma unroll 8
    for (Int j = threadIdx.x; j < m; j += blockDim.x) found += P[i * m + j] >= theta * (a[i] < b[j] ? a[i] : b[j]);
    found = block_sum(found, room);
    if (threadIdx.x == 0) counts[blockIdx.x] = found;
}

// d with the median 0, of every `step`-th entry, at most 256 of them, and its largest absolute entry: one block.
extern "C" __global__ void centre(const double *d, Int m, Int step, double *out, double *size) {
    __shared__ double room[32], some[256], middle;
    int count = (int)((m + step - 1) / step), me = threadIdx.x;
    for (int k = me; k < count; k += blockDim.x) some[k] = d[k * step];
    if (me == 0) middle = 0.0;  // with NaN in the sample there may be none
    __syncthreads();
    for (int k = me; k < count; k += blockDim.x) {
        int before = 0;
        for (int q = 0; q < count; q++) before += some[q] < some[k] || (some[q] == some[k] && q < k);
        if (before == count / 2) middle = some[k];
    }
    __syncthreads();
    double most = 0.0;
    for (Int j = me; j < m; j += blockDim.x) {
        double x = d[j] - middle, length = fabs(x);
        out[j] = x;
        most = length > most || length != length ? length : most;  // NaN stays
    }
    for (int step = 16; step > 0; step /= 2) {
        double other = __shfl_down_sync(ALL, most, step);
        most = other > most || other != other ? other : most;
    }
    if (me % 32 == 0) room[me / 32] = most;
    __syncthreads();
    if (me == 0) {
        for (int k = 1; k < (int)blockDim.x / 32; k++) most = room[k] > most || room[k] != room[k] ? room[k] : most;
        *size = most;
    }
}

// <a, f> + <b, g> and sum |c - b|: one block.
extern "C" __global__ void semidual(const double *a, const double *f, Int n, const double *b, const double *g,
                                    const double *c, Int m, double *out) {
    __shared__ double room[32];
    double value = 0.0, error = 0.0;
#pragma unroll 4
    for (Int i = threadIdx.x; i < n; i += blockDim.x) value += a[i] * f[i];
#pragma unroll 4
    for (Int j = threadIdx.x; j < m; j += blockDim.x) {
        value += b[j] * g[j];
        error += fabs(c[j] - b[j]);
    }
    value = block_sum(value, room);
    error = block_sum(error, room);
    if (threadIdx.x == 0) {
        out[0] = value;
        out[1] = error;
    }
}
