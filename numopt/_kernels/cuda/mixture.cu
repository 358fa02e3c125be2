// Passes of EM over the points of Gaussian mixtures, for many starts at once; all is float64. P is the dimension of the
// points, K at least the number of groups.
//
// The points are read once in the E step and once in the M step of each start: both are bound by the multiplications,
// about n k p^2 in each.

#define TRI (P * (P + 1) / 2)
#define FORM (TRI + P + 1 + (TRI + P + 1) % 2)  // of a group: the inverse of the factor by rows, the mean, log factor
#define THREADS 128

// R (starts, n, k): the responsibilities, or with `raw` log(weight) + log density; values (starts, blocks): parts of the
// log-likelihoods. A thread has a point.
extern "C" __global__ void __launch_bounds__(THREADS) responsibilities(const double *X, const double *forms, Int n,
                                                                       Int k, Int raw, double *R, double *values) {
    const int BATCH = 2048 / FORM > K ? K : 2048 / FORM;
    __shared__ double held[BATCH * FORM], terms[K][THREADS + 1], room[32];
    const int t = threadIdx.x;
    const Int first = (Int)blockIdx.x * THREADS, i = first + t, start = blockIdx.y;
    double x[P], top = -INF, total = 0.0;
#pragma unroll
    for (int q = 0; q < P; q++) x[q] = i < n ? X[i * P + q] : 0.0;
    for (int low = 0; low < k; low += BATCH) {
        const int count = k - low < BATCH ? (int)k - low : BATCH;
        __syncthreads();
        for (int e = t; e < count * FORM; e += THREADS) held[e] = forms[(start * k + low) * FORM + e];
        __syncthreads();
        for (int j = 0; j < count; j++) {
            const double *form = held + j * FORM;
            double off[P], square = 0.0;
#pragma unroll
            for (int q = 0; q < P; q++) off[q] = x[q] - form[TRI + q];
#pragma unroll
            for (int q = 0; q < P; q++) {
                double z = 0.0;
#pragma unroll
                for (int u = 0; u <= q; u++) z += form[q * (q + 1) / 2 + u] * off[u];
                square += z * z;
            }
            double term = form[TRI + P] - 0.5 * square;
            terms[low + j][t] = term;
            top = term < top ? top : term;  // NaN stays
        }
    }
    if (!raw) {
        for (int j = 0; j < k; j++) total += terms[j][t] = exp(terms[j][t] - top);
        const double share = 1.0 / total;
        for (int j = 0; j < k; j++) terms[j][t] *= share;
    }
    __syncthreads();
    const int groups = (int)k, rows = n - first < THREADS ? (int)(n - first) : THREADS;
    for (int e = t; e < rows * groups; e += THREADS) R[(start * n + first) * k + e] = terms[e % groups][e / groups];
    if (raw) return;
    double value = block_sum(i < n ? log(total) + top : 0.0, room);
    if (t == 0) values[start * gridDim.x + blockIdx.x] = value;
}

#define BLOCKS ((P + 3) / 4)  // of four coordinates
#define WIDE (4 * BLOCKS)
#define UNITS (BLOCKS * (BLOCKS + 1) / 2)  // tiles of 4 x 4 on and below the diagonal
#define SPLITS (THREADS / UNITS)
#define TILE (3072 / WIDE > 256 ? 256 : 3072 / WIDE)  // points that a block keeps
#define MOMENTS (1 + P + TRI)

// parts (starts, blocks, k, MOMENTS): sums of r, r (x - shift) and r (x - shift)(x - shift)', its lower triangle by
// rows; shift (starts, k, P) may be null. A thread has a tile of the triangle and every SPLITS-th point.
extern "C" __global__ void __launch_bounds__(THREADS) moments(const double *X, const double *R, const double *shift,
                                                              Int n, Int k, double *parts) {
    __shared__ double x[TILE][WIDE], found[21][THREADS], weights[TILE];
    const int t = threadIdx.x, unit = t % UNITS, split = t / UNITS;
    const Int first = (Int)blockIdx.x * TILE, start = blockIdx.y;
    int a = 0;
    while ((a + 1) * (a + 2) / 2 <= unit) a++;
    const int b = unit - a * (a + 1) / 2;
    for (int e = t; e < TILE * WIDE; e += THREADS) {
        int line = e / WIDE, q = e % WIDE;
        x[line][q] = first + line < n && q < P ? X[(first + line) * P + q] : 0.0;
    }
    for (int j = 0; j < k; j++) {
        double mean[4] = {}, other[4] = {}, size = 0.0, sums[4] = {}, squares[4][4] = {};
        if (shift)
            for (int v = 0; v < 4; v++) {
                if (4 * a + v < P) mean[v] = shift[(start * k + j) * P + 4 * a + v];
                if (4 * b + v < P) other[v] = shift[(start * k + j) * P + 4 * b + v];
            }
        __syncthreads();
        for (int line = t; line < TILE; line += THREADS)
            weights[line] = first + line < n ? R[(start * n + first + line) * k + j] : 0.0;
        __syncthreads();
        if (split < SPLITS)
            for (int line = split; line < TILE; line += SPLITS) {
                double r = weights[line], left[4], right[4];
                size += r;
#pragma unroll
                for (int v = 0; v < 4; v++) {
                    left[v] = r * (x[line][4 * a + v] - mean[v]);
                    right[v] = x[line][4 * b + v] - other[v];
                    sums[v] += left[v];
                }
#pragma unroll
                for (int v = 0; v < 4; v++)
#pragma unroll
                    for (int u = 0; u < 4; u++) squares[v][u] += left[v] * right[u];
            }
#pragma unroll
        for (int v = 0; v < 4; v++) {
#pragma unroll
            for (int u = 0; u < 4; u++) found[v * 4 + u][t] = squares[v][u];
            found[16 + v][t] = sums[v];
        }
        found[20][t] = size;
        __syncthreads();
        for (int e = t; e < MOMENTS; e += THREADS) {
            int from = 20, place = 0;
            if (e > P) {
                int row = 0, left = e - 1 - P;
                while ((row + 1) * (row + 2) / 2 <= left) row++;
                left -= row * (row + 1) / 2;
                from = row % 4 * 4 + left % 4;
                place = row / 4 * (row / 4 + 1) / 2 + left / 4;
            } else if (e > 0) {
                from = 16 + (e - 1) % 4;
                place = (e - 1) / 4 * ((e - 1) / 4 + 1) / 2;
            }
            double total = 0.0;
            for (int s = 0; s < SPLITS; s++) total += found[from][s * UNITS + place];
            parts[((start * gridDim.x + blockIdx.x) * k + j) * MOMENTS + e] = total;
        }
    }
}

// The covariance of group j about its mean, its size and the way of its mean from the shift, for all 32 threads.
__device__ inline double spread(const double *found, double (*S)[P + 1], double share, bool first) {
    double size = found[0] < 1e-12 ? 1e-12 : found[0];
    for (int e = threadIdx.x; e < P * P; e += 32) {
        int q = e / P, u = e % P, high = q > u ? q : u, low = q > u ? u : q;
        double entry = found[1 + P + high * (high + 1) / 2 + low] / size - found[1 + q] / size * (found[1 + u] / size);
        entry = share > 0 ? entry * (size * share) : entry;
        S[q][u] = first ? entry : S[q][u] + entry;
    }
    __syncwarp();
    return size;
}

// From the moments (starts, k, MOMENTS) of all points: weights (starts, k), means, which overwrite the shift if there is
// one, safe covariances (starts, k, P, P), and the forms of log densities. A warp has a group.
extern "C" __global__ void settle(const double *moments, Int n, Int k, double floor, Int shrinks, Int tied,
                                  Int weighted, const double *shift, double *weights, double *means,
                                  double *covariances, double *forms) {
    __shared__ double S[P][P + 1], L[P][P + 1];
    const int t = threadIdx.x;
    const Int j = blockIdx.x, start = blockIdx.y, here = start * k + j;
    const double *found = moments + here * MOMENTS;
    const double own = found[0] < 1e-12 ? 1e-12 : found[0];
    double size = n;
    if (tied)
        for (int g = 0; g < k; g++) spread(moments + (start * k + g) * MOMENTS, S, 1.0 / n, g == 0);
    else
        size = spread(found, S, 0.0, true);
    if (shrinks) {  // towards the mean variance: Chen, Wiesel, Eldar and Hero (2010)
        double trace = 0.0, square = 0.0;
        for (int q = 0; q < P; q++) trace += S[q][q];
        for (int q = t; q < P; q += 32)
            for (int u = 0; u < P; u++) square += S[q][u] * S[q][u];
        double mu = trace / P, a = warp_sum(square) / (P * P), below = (size + 1.0) * (a - mu * mu / P), rho = 1.0;
        if (below > 0) rho = (a + mu * mu) / below < 1.0 ? (a + mu * mu) / below : 1.0;
        for (int e = t; e < P * P; e += 32) {
            int q = e / P, u = e % P;
            S[q][u] = (1.0 - rho) * S[q][u] + (q == u ? rho * mu : 0.0);
        }
        __syncwarp();
    }
    for (int q = t; q < P; q += 32) S[q][q] += floor;
    __syncwarp();
    double half = 0.0;
    for (int c = 0; c < P; c++) {  // Cholesky, a row for each thread
        double total = 0.0;
        if (t >= c && t < P) {
            total = S[t][c];
            for (int u = 0; u < c; u++) total -= L[t][u] * L[c][u];
        }
        double pivot = sqrt(__shfl_sync(ALL, total, c));
        if (t >= c && t < P) L[t][c] = t == c ? pivot : total / pivot;
        half += log(pivot);
        __syncwarp();
    }
    for (int e = t; e < P * P; e += 32) covariances[here * P * P + e] = S[e / P][e % P];
    __syncwarp();
    for (int q = t; q < P; q += 32) {  // columns of the inverse of the factor; S is free
        for (int r = q; r < P; r++) {
            double total = r == q ? 1.0 : 0.0;
            for (int u = q; u < r; u++) total -= L[r][u] * S[u][q];
            S[r][q] = total / L[r][r];
        }
        double mean = found[1 + q] / own + (shift ? shift[here * P + q] : 0.0);
        means[here * P + q] = forms[here * FORM + TRI + q] = mean;
    }
    __syncwarp();
    for (int e = t; e < TRI; e += 32) {
        int row = 0;
        while ((row + 1) * (row + 2) / 2 <= e) row++;
        forms[here * FORM + e] = S[row][e - row * (row + 1) / 2];
    }
    if (t == 0) {
        weights[here] = own / n;
        forms[here * FORM + TRI + P] = (weighted ? log(own / n) : 0.0) - half - 0.5 * P * 1.8378770664093453;
        if (FORM > TRI + P + 1) forms[here * FORM + FORM - 1] = 0.0;
    }
}
