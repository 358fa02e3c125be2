// Relaxation: a launch takes all of its sweeps or steps. Every block of the grid is resident, and they wait for one
// another between levels; the rows of a level do not touch one another, a thread for each.
//
// INDEX is the type of the columns. With SLICED the entries of 32 rows lie together, the first of each row, then the
// second, ..., so that a warp reads them side by side; starts[i / 32] is where they begin. Else they lie by rows.
//
// The rows of a level are dealt out to workers, whose number depends on the level alone, and the workers to the
// blocks: sums have one order on every device.

#ifndef WAIT
#define WAIT  // nothing: only blocks that share a core have to yield it
#endif
#define THREADS 1024  // of a block, at most
#define SUMS 5  // at most, in one pass

struct Rows {
    const double *values;
    const INDEX *columns;
    const START *starts;
};

// The entries of a row times x, four at a time under way.
__device__ inline double times(const Rows &rows, Int i, const double *x) {
    const Int step = SLICED ? 32 : 1;
    Int at = SLICED ? rows.starts[i / 32] + i % 32 : rows.starts[i], end = rows.starts[(SLICED ? i / 32 : i) + 1];
    double total = 0.0;
    for (; at < end; at += 4 * step) {
        double value[4], other[4];
#pragma unroll
        for (int q = 0; q < 4; q++) {
            bool inside = at + q * step < end;
            value[q] = inside ? rows.values[at + q * step] : 0.0;
            other[q] = inside ? x[rows.columns[at + q * step]] : 0.0;
        }
#pragma unroll
        for (int q = 0; q < 4; q++) total += value[q] * other[q];
    }
    return total;
}

// The levels of rows, and how the blocks of the grid get through them together.
struct Levels {
    const Int *first, *places;  // first row, and first part of the sums, of each level and behind the last
    Int count;
    double *parts;  // two sets: who is late may still read the other
    volatile Int *flags;  // flags[b] says how often block b has come to a meeting
    Int turn;
    int set;
};

// Waits until every block has come here; what they wrote before can then be read.
__device__ inline void meet(Levels &all) {
    __syncthreads();
    if (gridDim.x == 1) return;
    all.turn++;
    if (threadIdx.x == 0) {
        __threadfence();
        all.flags[blockIdx.x] = all.turn;
    }
    if (threadIdx.x < 32) {
        for (Int b = threadIdx.x; b < gridDim.x; b += 32)
            while (b != blockIdx.x && all.flags[b] < all.turn) WAIT;
        __threadfence();
    }
    __syncthreads();
}

// Calls row(i, sums) for each row of a level; sums, K of them, become parts.
template <int K, class Row> __device__ inline void each_row(Levels &all, Int level, Row row) {
    __shared__ double room[32];
    Int first = all.first[level], after = all.first[level + 1], place = all.places[level];
    Int workers = all.places[level + 1] - place, total = all.places[all.count];
    for (Int w = blockIdx.x; w < workers; w += gridDim.x) {
        double sums[SUMS] = {};
        for (Int i = first / 32 * 32 + w * blockDim.x + threadIdx.x; i < after; i += workers * blockDim.x)
            if (i >= first) row(i, sums);
#pragma unroll
        for (int k = 0; k < K; k++) {
            double sum = block_sum(sums[k], room);
            if (threadIdx.x == 0) all.parts[(all.set * SUMS + k) * total + place + w] = sum;
        }
    }
}

// Adds up the parts, in every block; the next ones go to the other set.
template <int K> __device__ inline void add_up(Levels &all, double *sums) {
    __shared__ double room[32];
    Int total = all.places[all.count];
#pragma unroll
    for (int k = 0; k < K; k++) {
        double sum = 0.0;
        for (Int q = threadIdx.x; q < total; q += blockDim.x) sum += all.parts[(all.set * SUMS + k) * total + q];
        sums[k] = block_sum(sum, room);
    }
    all.set ^= 1;
}

#define OPENED \
    Levels all = {first, places, count, parts, flags, 0, 0}; \
    bool lead = blockIdx.x == 0 && threadIdx.x == 0;

// Forward sweeps: x and low = L x in place. out[k] is the square of the residual before sweep k, out[budget] the number
// of sweeps.
extern "C" __global__ void __launch_bounds__(THREADS) sor(
        const double *lower_values, const INDEX *lower_columns, const START *lower_starts, const double *upper_values,
        const INDEX *upper_columns, const START *upper_starts, const Int *first, const Int *places, Int count, double
        *parts, Int *flags, const double *diagonal, const double *b, double *x, double *low, double omega, double
        target, double growth, Int budget, double *out) {
    Rows lower = {lower_values, lower_columns, lower_starts}, upper = {upper_values, upper_columns, upper_starts};
    OPENED
    double square, begin = 0.0;
    Int k = 0;
    do {
        for (Int level = 0; level < count; level++) {
            each_row<1>(all, level, [&](Int i, double *sums) {
                double rest = b[i] - x[i] - times(upper, i, x), fresh = 0.0, stale = 0.0;
                if (level > 0) {  // else no entry lies below
                    fresh = times(lower, i, x);
                    stale = low[i];
                    low[i] = fresh;
                }
                double r = diagonal[i] * (rest - stale);
                sums[0] += r * r;
                x[i] += omega * (rest - fresh);
            });
            meet(all);
        }
        add_up<1>(all, &square);
        if (lead) out[k] = square;
        if (k == 0) begin = square;
    } while (++k < budget && square > target && square / growth <= begin);
    if (lead) out[budget] = k;
}

// Double sweeps: half = the point between, low = L half, up = U x; out as above.
extern "C" __global__ void __launch_bounds__(THREADS) ssor(
        const double *lower_values, const INDEX *lower_columns, const START *lower_starts, const double *upper_values,
        const INDEX *upper_columns, const START *upper_starts, const Int *first, const Int *places, Int count, double
        *parts, Int *flags, const double *diagonal, const double *b, double *x, double *half, double *low, double *up,
        double omega, double target, double growth, Int budget, double *out) {
    Rows lower = {lower_values, lower_columns, lower_starts}, upper = {upper_values, upper_columns, upper_starts};
    OPENED
    double square, begin = 0.0;
    Int k = 0;
    do {
        for (Int level = 0; level < count; level++) {
            each_row<1>(all, level, [&](Int i, double *sums) {
                double rest = b[i] - x[i] - up[i], r = diagonal[i] * (rest - times(lower, i, x));
                sums[0] += r * r;
                low[i] = times(lower, i, half);
                half[i] = x[i] + omega * (rest - low[i]);
            });
            meet(all);
        }
        for (Int level = count - 1; level >= 0; level--) {
            each_row<0>(all, level, [&](Int i, double *) {
                up[i] = times(upper, i, x);
                x[i] = half[i] + omega * (b[i] - low[i] - half[i] - up[i]);
            });
            meet(all);
        }
        add_up<1>(all, &square);
        if (lead) out[k] = square;
        if (k == 0) begin = square;
    } while (++k < budget && square > target && square / growth <= begin);
    if (lead) out[budget] = k;
}

// low = L x and up = U x.
extern "C" __global__ void __launch_bounds__(THREADS) products(
        const double *lower_values, const INDEX *lower_columns, const START *lower_starts, const double *upper_values,
        const INDEX *upper_columns, const START *upper_starts, const double *x, Int n, double *low, double *up) {
    Rows lower = {lower_values, lower_columns, lower_starts}, upper = {upper_values, upper_columns, upper_starts};
    for (Int i = blockIdx.x * (Int)blockDim.x + threadIdx.x; i < n; i += gridDim.x * (Int)blockDim.x) {
        low[i] = times(lower, i, x);
        up[i] = times(upper, i, x);
    }
}

// g = K^{-1} (b - A x), K = D / omega + L, and out[0] = ||b - A x||^2.
extern "C" __global__ void __launch_bounds__(THREADS) pcg_start(
        const double *lower_values, const INDEX *lower_columns, const START *lower_starts, const double *upper_values,
        const INDEX *upper_columns, const START *upper_starts, const Int *first, const Int *places, Int count, double
        *parts, Int *flags, const double *diagonal, const double *b, const double *x, double *g, double omega, double
        *out) {
    Rows lower = {lower_values, lower_columns, lower_starts}, upper = {upper_values, upper_columns, upper_starts};
    OPENED
    for (Int level = 0; level < count; level++) {
        each_row<1>(all, level, [&](Int i, double *sums) {
            double r = b[i] - x[i] - times(lower, i, x) - times(upper, i, x);
            g[i] = omega * (r - times(lower, i, g));
            r *= diagonal[i];
            sums[0] += r * r;
        });
        meet(all);
    }
    double square;
    add_up<1>(all, &square);
    if (lead) out[0] = square;
}

// Steps of conjugate gradients by Eisenstat, see the portable room. The scalars are computed by every thread alike.
// out: steps, last square, alpha, beta, energy; the squares, budget + 1 of them; alpha and beta of each step.
extern "C" __global__ void __launch_bounds__(THREADS) pcg(
        const double *lower_values, const INDEX *lower_columns, const START *lower_starts, const double *upper_values,
        const INDEX *upper_columns, const START *upper_starts, const Int *first, const Int *places, Int count, double
        *parts, Int *flags, const double *diagonal, double *x, double *g, double *y, double *p, double *t, double
        omega, double alpha, double beta, double energy, double target, Int budget, double *out) {
    Rows lower = {lower_values, lower_columns, lower_starts}, upper = {upper_values, upper_columns, upper_starts};
    OPENED
    double c = (2.0 - omega) / omega, square = 0.0, sums[SUMS], *squares = out + 5, *pairs = squares + budget + 1;
    Int steps = 0;
    // What becomes of a row in the forward pass: |K g|^2 and the products by D of q = t + y with p, g and itself,
    // and of g with itself.
    auto forward = [&](Int i, double p_i, double t_i, double g_i, double below, double rest, double *sums) {
        double y_i = omega * (p_i - c * t_i - below), d = diagonal[i], q = t_i + y_i, r = d * (g_i / omega + rest);
        y[i] = y_i;
        sums[0] += r * r;
        sums[1] += d * q * p_i;
        sums[2] += d * q * g_i;
        sums[3] += d * q * q;
        sums[4] += d * g_i * g_i;
    };
    while (steps < budget) {
        for (Int level = count - 1; level >= 0; level--) {  // what the last step left to do, and t = K^{-T} D p
            auto backward = [&](Int i, double *sums) {
                double before = t[i], g_i = g[i] - alpha * (before + y[i]), p_i = c * g_i + beta * p[i];
                double t_i = omega * (p_i - times(upper, i, t));
                x[i] += alpha * before;
                g[i] = g_i;
                p[i] = p_i;
                t[i] = t_i;
                if (level == 0) forward(i, p_i, t_i, g_i, 0.0, 0.0, sums);  // no entry lies below
            };
            if (level == 0) each_row<SUMS>(all, level, backward);
            else each_row<0>(all, level, backward);
            meet(all);
        }
        for (Int level = 1; level < count; level++) {  // y = K^{-1} D (p - c t)
            each_row<SUMS>(all, level, [&](Int i, double *sums) {
                forward(i, p[i], t[i], g[i], times(lower, i, y), times(lower, i, g), sums);
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
        for (Int level = 0; level < count; level++)
            each_row<1>(all, level, [&](Int i, double *sums) {
                double r = diagonal[i] * (g[i] / omega + times(lower, i, g));
                sums[0] += r * r;
            });
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

// Puts the entries of 32 rows together; rows are filled up with zeros in their own columns.
extern "C" __global__ void __launch_bounds__(THREADS) slice(
        const double *values, const INDEX *columns, const INDEX *by_rows, const Int *starts, Int n, double
        *out_values, INDEX *out_columns) {
    for (Int i = blockIdx.x * (Int)blockDim.x + threadIdx.x; i < (n + 31) / 32 * 32; i += gridDim.x * (Int)blockDim.x) {
        Int from = i < n ? by_rows[i] : 0, until = i < n ? by_rows[i + 1] : 0;
        for (Int at = starts[i / 32] + i % 32; at < starts[i / 32 + 1]; at += 32, from++) {
            out_values[at] = from < until ? values[from] : 0.0;
            out_columns[at] = from < until ? columns[from] : i < n ? i : n - 1;
        }
    }
}
