// Newton's system of transport by Jacobi-preconditioned conjugate gradients, three launches a step: rows, columns, vectors.
//
// The matrix is diag(P^T 1) - P^T diag(scale) P + regularization diag(b), scale = 1 / P 1. The direction is z + beta times
// the one before, and so is u = scale (P direction): rows gather z alone. Scalars stay on the device, in one box for the even
// and one for the odd steps; a step that comes after the last one that was wanted does nothing.

#define PARTS 32  // blocks of the launch that moves the vectors, at most: its sums are added up by one warp
#ifndef PER
#define PER 1  // pairs of columns of a thread where a block takes a row of a dense plan
#endif

enum { RZ, GOAL, BETA, RUNNING, MOVING, STEPS, BOX };

struct Pairs {
    unsigned four[4];  // pairs of columns of a dense plan
};

__device__ inline double inverse(double x) { return x == 0.0 ? 0.0 : 1.0 / x; }

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

// Opens a step in every warp: whether it is one to take, and beta. The first has no box before it.
__device__ inline bool opened(const double *sums, Int parts, const double *before, double rtol, double *box,
                              double &beta) {
    int lane = threadIdx.x % 32;
    double rz = warp_sum(lane < parts ? sums[lane] : 0.0), norm = warp_sum(lane < parts ? sums[PARTS + lane] : 0.0);
    bool running = !before || (before[MOVING] > 0.0 && norm > before[GOAL]);
    beta = running && before ? rz / before[RZ] : 0.0;
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        box[RZ] = rz;
        box[GOAL] = before ? before[GOAL] : rtol * norm;
        box[BETA] = beta;
        box[RUNNING] = running;
        box[STEPS] = before ? before[STEPS] + before[MOVING] : 0.0;
    }
    return running;
}

// Sums over an entry's partners gather from a vector of m numbers in no order: where all of it fits into shared memory, HELD
// is 1, each block copies it there, and numbers of rows and columns have 16 bits.
#ifndef HELD
#define HELD 0
#define PLACE int
#endif
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

// Two columns of a dense plan, rounded to the upper 16 bits of float32.
__device__ inline float left(unsigned pair) { return __uint_as_float(pair << 16); }
__device__ inline float right(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }

// The same for such a plan, of which a thread has PER pairs of columns. A block takes rows b, b + gridDim, ..., two at once
// while the next two are on their way into shared memory: one look gives u_i = scale_i (P_i z) + beta u_i, a second one, at
// the copy, adds to the block's part of P^T u. The few terms of a thread are added up in float32, sums over threads in float64.
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

// As cg_columns, from the parts of P^T u: a block of 256 for 64 columns, each of which has four threads.
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
