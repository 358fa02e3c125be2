// Relaxation: a launch takes all of its sweeps or steps. Every block of the grid is resident, and they wait for one
// another between levels; the rows of a level do not touch one another, a thread for each.
//
// INDEX is the type of the columns. With SLICED the entries of 32 rows of a level lie together, the first of each row,
// then the second, ..., so that a warp reads them side by side; starts[slice] is where they begin. Else they lie by rows.
//
// The rows of a level are dealt out to workers, whose number depends on the level alone, and the workers to the
// blocks: sums have one order on every device.

#include "together.cuh"

#define THREADS 640  // of a block, at most: what a row needs fits into the registers of so many
#define SUMS 5  // at most, in one pass
#define SLOTS 4  // workers of a block whose sums wait for the other warps

// What the table says of each level: its first row, its first part of the sums, and its first slice.
enum { ROW, PART, SLICE, FACTS };

struct Triangle {
    const double *values;
    const INDEX *columns;
    const START *starts;
    Int row, slice;  // the first of the level at hand

    __device__ void enter(const Int *level) {
        row = level[ROW];
        slice = level[SLICE];
    }
};

// sums[k] = the entries of row i times x[k]; the loads of four entries are under way at a time. Entries are read once
// in a pass: they should not drive the vectors out of the cache.
template <int N>
__device__ inline void times(const Triangle &part, Int i, const double *const (&x)[N], double (&sums)[N]) {
    const Int step = SLICED ? 32 : 1;
    Int k = SLICED ? part.slice + (i - part.row) / 32 : i;
    Int at = part.starts[k] + (SLICED ? (i - part.row) % 32 : 0), end = part.starts[k + 1];
    for (int n = 0; n < N; n++) sums[n] = 0.0;
    for (; at < end; at += 4 * step) {
        double value[4], other[N][4];
#pragma unroll
        for (int q = 0; q < 4; q++) {
            bool inside = at + q * step < end;
            value[q] = inside ? __ldcs(part.values + at + q * step) : 0.0;
            Int j = inside ? __ldcs(part.columns + at + q * step) : 0;
#pragma unroll
            for (int n = 0; n < N; n++) other[n][q] = inside ? x[n][j] : 0.0;
        }
#pragma unroll
        for (int n = 0; n < N; n++)
#pragma unroll
            for (int q = 0; q < 4; q++) sums[n] += value[q] * other[n][q];
    }
}

__device__ inline double times(const Triangle &part, Int i, const double *x) {
    const double *const vectors[] = {x};
    double sums[1];
    times(part, i, vectors, sums);
    return sums[0];
}

// The levels of rows, and how the blocks of the grid get through them together.
struct Levels {
    const Int *table;
    Int count;
    double *parts;  // two sets: who is late may still read the other
    Int *arrived, turn;  // as `meet` has them
    int set;

    __device__ const Int *operator[](Int level) const { return table + FACTS * level; }
};

__device__ inline void meet(Levels &all) { meet(all.arrived, all.turn); }

// The sum over a warp, known to its first lane.
__device__ inline double folded(double x) {
    for (int step = 16; step > 0; step /= 2) x += __shfl_down_sync(ALL, x, step);
    return x;
}

// Calls row(i, sums) for each row of a level; sums, K of them, become parts. A row should ask for its own numbers
// before its entries: loads are not moved before a loop, nor before what is written.
template <int K, class Row> __device__ inline void each_row(Levels &all, Int level, Row row) {
    __shared__ double room[SLOTS * (K + 1) * 32];
    const Int *here = all[level], *next = all[level + 1];
    Int first = here[ROW], after = next[ROW], place = here[PART], workers = next[PART] - place;
    Int total = all[all.count][PART];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32, slot = 0;
    for (Int w = blockIdx.x; w < workers; w += gridDim.x) {
        double sums[SUMS] = {};
        for (Int i = first + w * blockDim.x + threadIdx.x; i < after; i += workers * blockDim.x) row(i, sums);
        if (K == 0) continue;
        for (int k = 0; k < K; k++) {  // the warps need not wait for one another yet
            double sum = folded(sums[k]);
            if (lane == 0) room[(slot * K + k) * 32 + warp] = sum;
        }
        if (++slot < SLOTS && w + gridDim.x < workers) continue;
        __syncthreads();
        for (int q = warp; q < slot * K; q += warps) {
            double sum = folded(lane < warps ? room[q * 32 + lane] : 0.0);
            Int part = place + w - (slot - 1 - q / K) * (Int)gridDim.x;
            if (lane == 0) all.parts[(all.set * SUMS + q % K) * total + part] = sum;
        }
        __syncthreads();
        slot = 0;
    }
}

// Adds up the parts, in every block; the next ones go to the other set.
template <int K> __device__ inline void add_up(Levels &all, double *sums) {
    const int share = 6;  // of the parts, for a warp
    __shared__ double room[K * share];
    Int total = all[all.count][PART];
    int lane = threadIdx.x % 32;
    for (int q = threadIdx.x / 32; q < K * share; q += blockDim.x / 32) {
        double sum = 0.0;
        const double *parts = all.parts + (all.set * SUMS + q % K) * total;
        for (Int part = q / K * 32 + lane; part < total; part += 32 * share) sum += parts[part];
        sum = folded(sum);
        if (lane == 0) room[q] = sum;
    }
    __syncthreads();
    for (int k = 0; k < K; k++) {
        sums[k] = 0.0;
        for (int q = k; q < K * share; q += K) sums[k] += room[q];
    }
    all.set ^= 1;
}

// Sweeps until the squared residual is at most `target`, or has grown too much: out[k] is that before sweep k, and
// out[budget] the number of sweeps.
template <class Sweep>
__device__ inline void repeat(Levels &all, double target, double growth, Int budget, double *out, Sweep sweep) {
    bool lead = blockIdx.x == 0 && threadIdx.x == 0;
    double square, begin = 0.0;
    Int k = 0;
    do {
        sweep();
        add_up<1>(all, &square);
        if (lead) out[k] = square;
        if (k == 0) begin = square;
    } while (++k < budget && square > target && square / growth <= begin);
    if (lead) out[budget] = k;
}

#define OPENED \
    Triangle lower = {lower_values, lower_columns, lower_starts}, upper = {upper_values, upper_columns, upper_starts}; \
    Levels all = {table, count, parts, arrived, 0, 0};
#define ENTER(level) \
    lower.enter(all[level]); \
    upper.enter(all[level]);

// Forward sweeps: x and low = L x in place.
extern "C" __global__ void __launch_bounds__(THREADS) sor(
        const double *lower_values, const INDEX *lower_columns, const START *lower_starts, const double *upper_values,
        const INDEX *upper_columns, const START *upper_starts, const Int *table, Int count, double *parts, Int *arrived,
        const double *diagonal, const double *b, double *x, double *low, double omega, double target, double growth,
        Int budget, double *out) {
    OPENED
    repeat(all, target, growth, budget, out, [&] {
        for (Int level = 0; level < count; level++) {
            ENTER(level)
            each_row<1>(all, level, [&](Int i, double *sums) {
                bool bottom = level == 0;  // no entry lies below
                double b_i = b[i], x_i = x[i], d = diagonal[i], stale = bottom ? 0.0 : low[i];
                double rest = b_i - x_i - times(upper, i, x), fresh = bottom ? 0.0 : times(lower, i, x);
                double r = d * (rest - stale);
                sums[0] += r * r;
                if (!bottom) low[i] = fresh;
                x[i] = x_i + omega * (rest - fresh);
            });
            meet(all);
        }
    });
}

// Double sweeps: half = the point between, low = L half, up = U x.
extern "C" __global__ void __launch_bounds__(THREADS) ssor(
        const double *lower_values, const INDEX *lower_columns, const START *lower_starts, const double *upper_values,
        const INDEX *upper_columns, const START *upper_starts, const Int *table, Int count, double *parts, Int *arrived,
        const double *diagonal, const double *b, double *x, double *half, double *low, double *up, double omega,
        double target, double growth, Int budget, double *out) {
    OPENED
    repeat(all, target, growth, budget, out, [&] {
        for (Int level = 0; level < count; level++) {
            ENTER(level)
            each_row<1>(all, level, [&](Int i, double *sums) {
                double x_i = x[i], rest = b[i] - x_i - up[i], d = diagonal[i], below[2];
                times(lower, i, {x, half}, below);
                double r = d * (rest - below[0]);
                sums[0] += r * r;
                low[i] = below[1];
                half[i] = x_i + omega * (rest - below[1]);
            });
            meet(all);
        }
        for (Int level = count - 1; level >= 0; level--) {
            ENTER(level)
            each_row<0>(all, level, [&](Int i, double *) {
                double half_i = half[i], rest = b[i] - low[i] - half_i, above = times(upper, i, x);
                up[i] = above;
                x[i] = half_i + omega * (rest - above);
            });
            meet(all);
        }
    });
}

// low = L x and up = U x.
extern "C" __global__ void __launch_bounds__(THREADS) products(
        const double *lower_values, const INDEX *lower_columns, const START *lower_starts, const double *upper_values,
        const INDEX *upper_columns, const START *upper_starts, const Int *table, Int count, double *parts, Int *arrived,
        const double *x, double *low, double *up) {
    OPENED
    for (Int level = 0; level < count; level++) {
        ENTER(level)
        each_row<0>(all, level, [&](Int i, double *) {
            low[i] = times(lower, i, x);
            up[i] = times(upper, i, x);
        });
    }
}

// g = K^{-1} (b - A x), K = D / omega + L, and out[0] = ||b - A x||^2.
extern "C" __global__ void __launch_bounds__(THREADS) pcg_start(
        const double *lower_values, const INDEX *lower_columns, const START *lower_starts, const double *upper_values,
        const INDEX *upper_columns, const START *upper_starts, const Int *table, Int count, double *parts, Int *arrived,
        const double *diagonal, const double *b, const double *x, double *g, double omega, double *out) {
    OPENED
    for (Int level = 0; level < count; level++) {
        ENTER(level)
        each_row<1>(all, level, [&](Int i, double *sums) {
            double r = b[i] - x[i], d = diagonal[i], below[2];
            times(lower, i, {x, g}, below);
            r = r - below[0] - times(upper, i, x);
            g[i] = omega * (r - below[1]);
            r *= d;
            sums[0] += r * r;
        });
        meet(all);
    }
    double square;
    add_up<1>(all, &square);
    if (blockIdx.x == 0 && threadIdx.x == 0) out[0] = square;
}

// Steps of conjugate gradients by Eisenstat, see the portable room. The scalars are computed by every thread alike.
// out: steps, last square, alpha, beta, energy; the squares, budget + 1 of them; alpha and beta of each step.
extern "C" __global__ void __launch_bounds__(THREADS) pcg(
        const double *lower_values, const INDEX *lower_columns, const START *lower_starts, const double *upper_values,
        const INDEX *upper_columns, const START *upper_starts, const Int *table, Int count, double *parts, Int *arrived,
        const double *diagonal, double *x, double *g, double *y, double *p, double *t, double omega, double alpha,
        double beta, double energy, double target, Int budget, double *out) {
    OPENED
    double c = (2.0 - omega) / omega, inverse = 1.0 / omega, square = 0.0, sums[SUMS], *squares = out + 5, *pairs = squares + budget + 1;
    Int steps = 0;
    bool lead = blockIdx.x == 0 && threadIdx.x == 0;
    // What becomes of a row in the forward pass, below = (L y, L g): y, and parts of |K g|^2, of the products by D of
    // q = t + y with p, g and itself, and of that of g with itself.
    auto forward = [&](Int i, double d, double p_i, double t_i, double g_i, const double *below, double *sums) {
        double y_i = omega * (p_i - c * t_i - below[0]), q = t_i + y_i, r = d * (inverse * g_i + below[1]);
        y[i] = y_i;
        sums[0] += r * r;
        sums[1] += d * q * p_i;
        sums[2] += d * q * g_i;
        sums[3] += d * q * q;
        sums[4] += d * g_i * g_i;
    };
    while (steps < budget) {
        for (Int level = count - 1; level >= 0; level--) {  // what the last step left to do, and t = K^{-T} D p
            ENTER(level)
            auto backward = [&](Int i, double *sums) {
                bool bottom = level == 0;  // no entry lies below: the forward pass can go with this one
                double t_i = t[i], y_i = y[i], g_i = g[i], p_i = p[i], x_i = x[i], d = bottom ? diagonal[i] : 0.0;
                double above = times(upper, i, t);
                x[i] = x_i + alpha * t_i;
                g[i] = g_i = g_i - alpha * (t_i + y_i);
                p[i] = p_i = c * g_i + beta * p_i;
                t[i] = t_i = omega * (p_i - above);
                const double below[2] = {0.0, 0.0};
                if (bottom) forward(i, d, p_i, t_i, g_i, below, sums);
            };
            if (level == 0) each_row<SUMS>(all, level, backward);
            else each_row<0>(all, level, backward);
            meet(all);
        }
        for (Int level = 1; level < count; level++) {  // y = K^{-1} D (p - c t)
            ENTER(level)
            each_row<SUMS>(all, level, [&](Int i, double *sums) {
                double d = diagonal[i], p_i = p[i], t_i = t[i], g_i = g[i], below[2];
                times(lower, i, {y, g}, below);
                forward(i, d, p_i, t_i, g_i, below, sums);
            });
            meet(all);
        }
        add_up<SUMS>(all, sums);
        double curvature = sums[1], mixed = c * sums[2], size = c * sums[3], rho = c * sums[4];
        square = sums[0];
        if (!(square > target)) {
            alpha = beta = 0.0;
            break;
        }
        alpha = curvature > 0.0 ? rho / curvature : nan("");
        double following = rho - 2.0 * alpha * mixed + alpha * alpha * size;
        beta = (following > 0.0 ? following : 0.0) / rho;
        energy += alpha * rho;
        if (lead) {
            squares[steps] = square;
            pairs[2 * steps] = alpha;
            pairs[2 * steps + 1] = beta;
        }
        steps++;
        if (!(alpha > 0.0)) break;
        if (square * beta > target && steps < budget) continue;
        for (Int level = 0; level < count; level++)  // near the end the residual is formed: make the step
            each_row<0>(all, level, [&](Int i, double *) {
                x[i] += alpha * t[i];
                g[i] -= alpha * (t[i] + y[i]);
            });
        meet(all);
        for (Int level = 0; level < count; level++) {
            ENTER(level)
            each_row<1>(all, level, [&](Int i, double *sums) {
                double r = diagonal[i] * (inverse * g[i] + times(lower, i, g));
                sums[0] += r * r;
            });
        }
        meet(all);
        add_up<1>(all, &square);
        alpha = 0.0;
        if (square <= target) break;
    }
    if (lead) {
        squares[steps] = square;
        out[0] = steps;
        out[1] = square;
        out[2] = alpha;
        out[3] = beta;
        out[4] = energy;
    }
}

// Puts the entries of the rows of each slice together; rows are filled up with zeros in their own columns.
extern "C" __global__ void __launch_bounds__(THREADS) slice(
        const double *values, const INDEX *columns, const INDEX *by_rows, const Int *rows, const Int *starts, Int
        slices, double *out_values, INDEX *out_columns) {
    for (Int k = blockIdx.x * (Int)blockDim.x + threadIdx.x; k < 32 * slices; k += gridDim.x * (Int)blockDim.x) {
        Int s = k / 32, i = rows[s] + k % 32;
        bool inside = i < rows[s + 1];
        Int from = inside ? by_rows[i] : 0, until = inside ? by_rows[i + 1] : 0;
        for (Int at = starts[s] + k % 32; at < starts[s + 1]; at += 32, from++) {
            out_values[at] = from < until ? values[from] : 0.0;
            out_columns[at] = from < until ? columns[from] : inside ? i : rows[s];
        }
    }
}
