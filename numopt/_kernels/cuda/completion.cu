// Least squares of the rows of a factor, a block for each row: K is k rounded up, BLOCK how many rows and columns of
// the Gram matrix a thread holds in registers, REAL the dtype of values and factors. All is added up in float64.

#define SIDE (K / BLOCK)
#define TILE (K > 32 ? 16 : 32)  // entries gathered at a time: a block may share 48 kB

// Minimises sum w (y - o_j - (base + u).v_j)^2 + scale sum_a ridge_a u_a^2 over the row u; weights, offset, scale and
// base may be null.
extern "C" __global__ void half_step(const REAL *y, const int *index, const Int *start, const REAL *weights,
                                     const REAL *V, Int k, const REAL *offset, const double *ridge,
                                     const REAL *scale, const REAL *base, double floor, REAL *U, double *sums) {
    __shared__ double A[TILE][K], G[K][K + 1], right[K], u[K], b[TILE], w[TILE], room[32], trace;
    const int t = threadIdx.x, threads = blockDim.x;
    const int p0 = t / SIDE * BLOCK, q0 = t % SIDE * BLOCK;
    const bool holds = t < SIDE * SIDE;
    const Int i = blockIdx.x, first = start[i], after = start[i + 1];
    double gram[BLOCK][BLOCK] = {};
    if (t < K) right[t] = 0.0;
    for (Int low = first; low < after; low += TILE) {
        __syncthreads();
        for (int e = t; e < TILE * K; e += threads) {
            int line = e / K, p = e % K;
            A[line][p] = low + line < after && p < k ? (double)V[index[low + line] * k + p] : 0.0;
        }
        __syncthreads();
        for (int line = t; line < TILE; line += threads) {
            Int q = low + line;
            bool there = q < after;
            w[line] = !there ? 0.0 : weights ? (double)weights[q] : 1.0;
            b[line] = !there ? 0.0 : (double)y[q] - (offset ? (double)offset[index[q]] : 0.0);
            if (base)
                for (int p = 0; p < k; p++) b[line] -= A[line][p] * base[i * k + p];
        }
        __syncthreads();
        if (holds)
            for (int line = 0; line < TILE; line++) {
                double left[BLOCK], up[BLOCK];
#pragma unroll
                for (int p = 0; p < BLOCK; p++) {
                    left[p] = w[line] * A[line][p0 + p];
                    up[p] = A[line][q0 + p];
                }
#pragma unroll
                for (int p = 0; p < BLOCK; p++)
#pragma unroll
                    for (int q = 0; q < BLOCK; q++) gram[p][q] += left[p] * up[q];
            }
        for (int p = t; p < K; p += threads)
            for (int line = 0; line < TILE; line++) right[p] += w[line] * b[line] * A[line][p];
    }
    if (holds)
#pragma unroll
        for (int p = 0; p < BLOCK; p++)
#pragma unroll
            for (int q = 0; q < BLOCK; q++) G[p0 + p][q0 + q] = gram[p][q];
    __syncthreads();
    if (t == 0) {
        trace = 0.0;
        for (int p = 0; p < k; p++) trace += G[p][p];
    }
    __syncthreads();
    for (int p = t; p < K; p += threads)
        G[p][p] += p < k ? (scale ? (double)scale[i] : 1.0) * ridge[p] + floor * trace + (trace == 0.0) : 1.0;
    __syncthreads();
    for (int c = 0; c < K; c++) {  // Cholesky
        if (t == 0) G[c][c] = sqrt(G[c][c]);
        __syncthreads();
        for (int r = c + 1 + t; r < K; r += threads) G[r][c] /= G[c][c];
        __syncthreads();
        for (int e = t; e < (K - c - 1) * (K - c - 1); e += threads) {
            int r = c + 1 + e / (K - c - 1), q = c + 1 + e % (K - c - 1);
            if (q <= r) G[r][q] -= G[r][c] * G[q][c];
        }
        __syncthreads();
    }
    for (int p = t; p < K; p += threads) u[p] = right[p];
    __syncthreads();
    for (int c = 0; c < K; c++) {
        if (t == 0) u[c] /= G[c][c];
        __syncthreads();
        for (int r = c + 1 + t; r < K; r += threads) u[r] -= G[r][c] * u[c];
        __syncthreads();
    }
    for (int c = K - 1; c >= 0; c--) {
        if (t == 0) u[c] /= G[c][c];
        __syncthreads();
        for (int r = t; r < c; r += threads) u[r] -= G[c][r] * u[c];
        __syncthreads();
    }
    for (int p = t; p < k; p += threads) U[i * k + p] = (REAL)u[p];
    double total = 0.0;
    for (Int q = first + t; q < after; q += threads) {  // a second look at rows of V that are still in the cache
        Int j = index[q];
        double r = (double)y[q] - (offset ? (double)offset[j] : 0.0);
        for (int p = 0; p < k; p++) r -= (u[p] + (base ? (double)base[i * k + p] : 0.0)) * V[j * k + p];
        total += (weights ? (double)weights[q] : 1.0) * r * r;
    }
    total = block_sum(total, room);
    if (t == 0) sums[i] = total;
}
