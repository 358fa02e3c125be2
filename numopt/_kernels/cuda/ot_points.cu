// Passes over a cost that is the distances of points, or over a matrix too wide for ot_rows.cu.
//
// Two sweeps over all pairs, each with one exponential a pair: for the sums of the rows, then for those of the columns.
// A thread has ROWS points of its own side and meets those of the other in tiles. KIND 1, 2, 3 are squared, Euclidean
// and l1 distances, 0 is a matrix. DIM is the number of coordinates, if that is small, else 0. SINGLE: exp in float32.
// SUMS: <C, P> too.

#define ROWS 2
#define THREADS 128
#define TILE 64
#define UNIT 4

// Coordinate k of point i of one side is X[i * xi + k * xk]; a matrix has its entry of i and j at X[i * xi + j * xk].
struct Pairs {
    const REAL *X, *Y;
    Int xi, xk, yj, yk, d;
};

__device__ inline void take(REAL &total, REAL x, REAL y) {
    REAL gap = x - y;
#if KIND == 3
    total += gap < 0 ? -gap : gap;
#else
    total += gap * gap;
#endif
}

__device__ inline REAL whole(REAL total) {
#if KIND == 2
    return sqrt(total);
#else
    return total;
#endif
}

__device__ inline REAL distance(const Pairs &of, Int i, Int j) {
#if KIND == 0
    return of.X[i * of.xi + j * of.xk];
#else
    REAL total = 0;
    for (Int k = 0; k < of.d; k++) take(total, of.X[i * of.xi + k * of.xk], of.Y[j * of.yj + k * of.yk]);
    return whole(total);
#endif
}

// sums_i = sum_j exp((u_i + v_j - C_ij) / reg) over the columns of chunk blockIdx.y, and <C, P> over them; the arrays
// are (chunks, n). A sum that is too large, or NaN, is inf; with `exact` it is what it is. P, if not null, is (m, n).
extern "C" __global__ void __launch_bounds__(THREADS)
    pair_sums(const REAL *X, const REAL *Y, Int n, Int m, Int xi, Int xk, Int yj, Int yk, Int d, const double *u,
              const double *v, double reg, Int chunk, Int exact, double *sums, double *paid, float *P) {
    Pairs of = {X, Y, xi, xk, yj, yk, d};
    Int low = blockIdx.y * chunk, high = low + chunk < m ? low + chunk : m, at[ROWS];
    double own[ROWS], sum[ROWS], cost[ROWS];
    const Scale scale(reg, REACH);
    bool wild[ROWS];
#if DIM
    __shared__ double level[TILE];
    __shared__ REAL there[TILE][DIM];
    REAL here[ROWS][DIM];
#endif
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        Int i = (blockIdx.x * (Int)ROWS + r) * THREADS + threadIdx.x;
        at[r] = i < n ? i : n - 1;
        own[r] = u[at[r]], sum[r] = cost[r] = 0.0, wild[r] = false;
#if DIM
#pragma unroll
        for (int k = 0; k < DIM; k++) here[r][k] = X[at[r] * xi + k * xk];
#endif
    }
    for (Int tile = low; tile < high; tile += TILE) {
        int count = (int)(high - tile < TILE ? high - tile : TILE);
#if DIM
        __syncthreads();
        for (int t = threadIdx.x; t < TILE; t += THREADS) level[t] = t < count ? v[tile + t] : -INF;
        for (int t = threadIdx.x; t < TILE * DIM; t += THREADS) {
            int k = t / TILE, j = t % TILE;
            there[j][k] = j < count ? Y[(tile + j) * yj + k * yk] : 0;
        }
        __syncthreads();
#endif
        POWER some[ROWS] = {};
        for (int t = 0; t < TILE; t += UNIT) {
            REAL c[UNIT][ROWS] = {};
            double base[UNIT];
#if DIM
#pragma unroll
            for (int q = 0; q < UNIT; q++) {
                base[q] = level[t + q];
#pragma unroll
                for (int r = 0; r < ROWS; r++)
#pragma unroll
                    for (int k = 0; k < DIM; k++) take(c[q][r], here[r][k], there[t + q][k]);
            }
#else
            if (t >= count) break;
            Int j[UNIT];
#pragma unroll
            for (int q = 0; q < UNIT; q++) {
                j[q] = tile + (t + q < count ? t + q : count - 1);
                base[q] = t + q < count ? v[j[q]] : -INF;
            }
#if KIND == 0
#pragma unroll
            for (int q = 0; q < UNIT; q++)
#pragma unroll
                for (int r = 0; r < ROWS; r++) c[q][r] = X[at[r] * xi + j[q] * xk];
#else
            for (Int k = 0; k < d; k++) {
                REAL x[ROWS];
#pragma unroll
                for (int r = 0; r < ROWS; r++) x[r] = X[at[r] * xi + k * xk];
#pragma unroll
                for (int q = 0; q < UNIT; q++) {
                    REAL y = Y[j[q] * yj + k * yk];
#pragma unroll
                    for (int r = 0; r < ROWS; r++) take(c[q][r], x[r], y);
                }
            }
#endif
#endif
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                double far[UNIT], x[UNIT];
                POWER p[UNIT];
#pragma unroll
                for (int q = 0; q < UNIT; q++) {
                    far[q] = whole(c[q][r]);
                    x[q] = scale.clamped((base[q] - far[q]) + own[r], wild[r]);
                }
                powers<UNIT>(x, scale, p);
#pragma unroll
                for (int q = 0; q < UNIT; q++) {
                    some[r] += p[q];
                    if (SUMS) cost[r] += p[q] * payable(far[q]);
                    if (P && t + q < count && at[r] == (blockIdx.x * (Int)ROWS + r) * THREADS + threadIdx.x)
                        P[(tile + t + q) * n + at[r]] = (float)p[q];
                }
            }
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++) sum[r] += some[r];
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (wild[r] && exact) {
            sum[r] = cost[r] = 0.0;
            for (Int j = low; j < high; j++) {
                double c = distance(of, at[r], j), p = power_of_any((v[j] - c) + own[r], scale);
                sum[r] += p;
                cost[r] += p * payable(c);
            }
        } else if (wild[r])
            sum[r] = INF;
        Int i = (blockIdx.x * (Int)ROWS + r) * THREADS + threadIdx.x;
        if (i < n) {
            sums[blockIdx.y * n + i] = sum[r];
            if (SUMS) paid[blockIdx.y * n + i] = cost[r];
        }
    }
}

// The half step of each row, a warp each, from the parts of its sum of exp((shift_i + g_j - C_ij) / reg), of which
// there may be none; if that will not do, from its largest term. A row without an entry gets +inf.
extern "C" __global__ void half_step(const REAL *X, const REAL *Y, Int n, Int m, Int xi, Int xk, Int yj, Int yk, Int d,
                                     const double *a, const double *shift, const double *g, double reg, Int chunks,
                                     const double *parts, double *f) {
    Pairs of = {X, Y, xi, xk, yj, yk, d};
    int lane = threadIdx.x % 32;
    Int i = (blockIdx.x * (Int)blockDim.x + threadIdx.x) / 32;
    if (i >= n) return;
    double sum = 0.0, guess = shift[i];
    const Scale scale(reg, REACH);
    for (Int k = lane; k < chunks; k += 32) sum += parts[k * n + i];
    sum = warp_sum(sum);
    if (!(sum >= LEAST && sum <= MOST)) {
        double top = -INF;
        for (Int j = lane; j < m; j += 32) {
            double x = g[j] - distance(of, i, j);
            top = x > top ? x : top;
        }
        for (int step = 16; step > 0; step /= 2) {
            double other = __shfl_xor_sync(ALL, top, step);
            top = other > top ? other : top;
        }
        guess = isfinite(top) ? -top : 0.0;
        sum = 0.0;
        for (Int j = lane; j < m; j += 32) sum += power_of_any((g[j] - distance(of, i, j)) + guess, scale);
        sum = warp_sum(sum);
    }
    if (lane == 0) f[i] = sum == 0.0 ? INF : guess + reg * log(a[i] / sum);
}

// What makes the sum of a row about 1 if f is a good guess.
extern "C" __global__ void shifts(Int n, const double *a, const double *f, double reg, double *shift) {
    Int i = blockIdx.x * (Int)blockDim.x + threadIdx.x;
    if (i >= n) return;
    double guess = f[i] - exponent(a[i]) * (reg / LOG2E);
    shift[i] = isfinite(guess) ? guess : 0.0;
}
