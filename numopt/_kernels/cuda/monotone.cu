// Products with a dense matrix of REAL in float64, and vector steps of the primal-dual hybrid gradient method.
// ROWS is how many rows a block of `forward` has.

#define LOAD ((int)(16 / sizeof(REAL)))  // numbers that a thread reads at once
#define BATCH 8                          // rows that `adjoint` reads at once
#define HELD 16                          // numbers of a vector that a thread keeps in registers

struct __align__(16) Pack {
    REAL v[LOAD];
};

__device__ inline bool in_packs(const REAL *A, Int n) { return n % LOAD == 0 && (unsigned long long)A % 16 == 0; }

// Sums of two numbers over the threads of a block, known to all of them; `room` is shared memory for 64 numbers.
__device__ inline void block_sums(double &a, double &b, double *room) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    a = warp_sum(a);
    b = warp_sum(b);
    __syncthreads();  // the room may still be read from the last time
    if (lane == 0) {
        room[warp] = a;
        room[32 + warp] = b;
    }
    __syncthreads();
    a = warp_sum(lane < warps ? room[lane] : 0.0);
    b = warp_sum(lane < warps ? room[32 + lane] : 0.0);
}

// out = A x; a block for ROWS rows, which share what is read of x; those beyond the last repeat it.
extern "C" __global__ void __launch_bounds__(256) forward(const REAL *A, const double *x, Int m, Int n, double *out) {
    __shared__ double room[ROWS][8];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const Int first = (Int)blockIdx.x * ROWS;
    const REAL *row[ROWS];
    double total[ROWS] = {};
#pragma unroll
    for (int r = 0; r < ROWS; r++) row[r] = A + (first + r < m ? first + r : m - 1) * n;
    if (in_packs(A, n)) {
#pragma unroll 2
        for (Int j = threadIdx.x * LOAD; j < n; j += 256 * LOAD) {
            Pack a[ROWS];
            double here[LOAD];
#pragma unroll
            for (int r = 0; r < ROWS; r++) a[r] = *(const Pack *)(row[r] + j);
#pragma unroll
            for (int l = 0; l < LOAD; l++) here[l] = x[j + l];
#pragma unroll
            for (int r = 0; r < ROWS; r++)
#pragma unroll
                for (int l = 0; l < LOAD; l++) total[r] += a[r].v[l] * here[l];
        }
    } else {
#pragma unroll 2
        for (Int j = threadIdx.x; j < n; j += 256) {
            const double here = x[j];
#pragma unroll
            for (int r = 0; r < ROWS; r++) total[r] += row[r][j] * here;
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        total[r] = warp_sum(total[r]);
        if (lane == 0) room[r][warp] = total[r];
    }
    __syncthreads();
    if (threadIdx.x < ROWS && first + threadIdx.x < m) {
        double sum = 0.0;
        for (int w = 0; w < 8; w++) sum += room[threadIdx.x][w];
        out[first + threadIdx.x] = sum;
    }
}

// Parts of A^T y: block (b, c) adds up rows of a tile of columns, every gridDim.x-th and the last ones first, for they
// are still in the cache when A x has just been formed. parts is (gridDim.x, n).
extern "C" __global__ void __launch_bounds__(256) adjoint(const REAL *A, const double *y, Int m, Int n,
                                                          double *parts) {
    const Int apart = gridDim.x, left = (Int)blockIdx.y * 256 * LOAD;
    const bool packs = in_packs(A, n);
    double total[LOAD] = {};
    Int column[LOAD];
#pragma unroll
    for (int l = 0; l < LOAD; l++) column[l] = left + (packs ? threadIdx.x * LOAD + l : threadIdx.x + 256 * l);
    if (column[0] >= n) return;
    for (Int i = m - 1 - blockIdx.x; i >= 0; i -= BATCH * apart) {
        Pack a[BATCH];
        double here[BATCH];
#pragma unroll
        for (int s = 0; s < BATCH; s++) {  // beyond the first row, row i once more
            const Int at = i - s * apart;
            const REAL *row = A + (at < 0 ? i : at) * n;
            here[s] = at < 0 ? 0.0 : y[at];
            if (packs)
                a[s] = *(const Pack *)(row + column[0]);
            else
#pragma unroll
                for (int l = 0; l < LOAD; l++) a[s].v[l] = column[l] < n ? row[column[l]] : (REAL)0.0;
        }
#pragma unroll
        for (int s = 0; s < BATCH; s++)
#pragma unroll
            for (int l = 0; l < LOAD; l++) total[l] += a[s].v[l] * here[s];
    }
#pragma unroll
    for (int l = 0; l < LOAD; l++)
        if (column[l] < n) parts[blockIdx.x * n + column[l]] = total[l];
}

// The sum over parts of column j of 32, eight threads to a column; known to the first of them.
__device__ inline double over_parts(const double *parts, Int count, Int n, Int j) {
    __shared__ double room[8][32];
    const int lane = threadIdx.x % 32, slice = threadIdx.x / 32;
    double total = 0.0;
    if (j < n)
#pragma unroll 4
        for (Int p = slice; p < count; p += 8) total += parts[p * n + j];
    room[slice][lane] = total;
    __syncthreads();
    if (slice == 0)
        for (int s = 1; s < 8; s++) total += room[s][lane];
    return total;
}

extern "C" __global__ void __launch_bounds__(256) joined(const double *parts, Int count, Int n, double *out) {
    const Int j = (Int)blockIdx.x * 32 + threadIdx.x % 32;
    const double total = over_parts(parts, count, n, j);
    if (threadIdx.x < 32 && j < n) out[j] = total;
}

// z = v + step (s q + u p + w r) on a set: clipped if there are bounds, else, with `total` above 0, moved to
// {z >= 0, weights.z = total}, which is one block's work. The step in x is -tau (c + A^T y), that in y is
// sigma (2 A xh - A x - b). No weights stand for ones.
extern "C" __global__ void __launch_bounds__(512) moved(const double *v, double step, double s, const double *q,
                                                        double u, const double *p, double w, const double *r,
                                                        double total, const double *lower, const double *upper, Int n,
                                                        double *out) {
    __shared__ double room[64];
    const Int first = (Int)blockIdx.x * blockDim.x + threadIdx.x, apart = (Int)gridDim.x * blockDim.x;
    auto at = [&](Int j) { return v[j] + step * (s * q[j] + u * p[j] + w * r[j]); };
    if (!(total > 0.0)) {
        for (Int j = first; j < n; j += apart) {
            double z = at(j);
            z = z < lower[j] ? lower[j] : z;
            out[j] = z > upper[j] ? upper[j] : z;
        }
        return;
    }
    // A thread keeps HELD numbers in registers, -INF where there is none; what does not fit waits in `out`.
    double held[HELD], sum = 0.0, square = 0.0;
    auto weight = [&](Int j) { return lower ? lower[j < n ? j : n - 1] : 1.0; };
#pragma unroll
    for (int h = 0; h < HELD; h++) held[h] = at(first + h * apart < n ? first + h * apart : n - 1);
#pragma unroll
    for (int h = 0; h < HELD; h++) {
        const Int j = first + h * apart;
        const double own = weight(j);
        sum += j < n ? own * held[h] : 0.0;
        square += j < n ? own * own : 0.0;
        held[h] = j < n ? held[h] : -INF;
    }
    for (Int j = first + HELD * apart; j < n; j += apart) {
        out[j] = at(j);
        sum += weight(j) * out[j];
        square += weight(j) * weight(j);
    }
    block_sums(sum, square, room);
    // Newton's method for sum weight [z - t weight]_+ = total from the left of the root, which stops when what lies
    // above no longer becomes less.
    double t = (sum - total) / square, last = 2.0 * square;
    auto above = [&](double z, double own) {
        const double d = z - t * own;
        sum += d > 0.0 ? own * d : 0.0;
        square += d > 0.0 ? own * own : 0.0;
    };
    for (;;) {
        sum = square = 0.0;
#pragma unroll
        for (int h = 0; h < HELD; h++)
            if (h * apart < n) above(held[h], weight(first + h * apart));
        for (Int j = first + HELD * apart; j < n; j += apart) above(out[j], weight(j));
        block_sums(sum, square, room);
        if (!(square > 0.0 && square < last)) break;
        t += (sum - total) / square;
        last = square;
    }
    auto projected = [&](double z, double own) { return z - t * own < 0.0 ? 0.0 : z - t * own; };  // NaN stays
#pragma unroll
    for (int h = 0; h < HELD; h++)
        if (first + h * apart < n) out[first + h * apart] = projected(held[h], weight(first + h * apart));
    for (Int j = first + HELD * apart; j < n; j += apart) out[j] = projected(out[j], weight(j));
}

// What ends a step: A^T yh from its parts, and v = a (2 hat - v) + (1 - a) anchor for x, y and their products. A block
// for 32 numbers of each.
extern "C" __global__ void __launch_bounds__(256) averaged(
    double a, const double *parts, Int count, const double *x, const double *xh, const double *x0, const double *Ax,
    const double *Axh, const double *Ax0, const double *y, const double *yh, const double *y0, const double *ATy,
    const double *ATy0, Int n, Int m, double *ATyh, double *next_x, double *next_y, double *next_Ax,
    double *next_ATy) {
    auto mean = [a](double v, double hat, double anchor) { return a * (2.0 * hat - v) + (1.0 - a) * anchor; };
    const int slice = threadIdx.x / 32;
    const Int j = (Int)blockIdx.x * 32 + threadIdx.x % 32;
    const double hat = over_parts(parts, count, n, j);
    if (slice == 0 && j < n) {
        ATyh[j] = hat;
        next_ATy[j] = mean(ATy[j], hat, ATy0[j]);
    }
    if (slice == 1 && j < n) next_x[j] = mean(x[j], xh[j], x0[j]);
    if (slice == 2 && j < m) next_y[j] = mean(y[j], yh[j], y0[j]);
    if (slice == 3 && j < m) next_Ax[j] = mean(Ax[j], Axh[j], Ax0[j]);
}

// |hat_x - x|^2, |hat_y - y|^2 and <hat_y - y, A (hat_x - x)>; one block.
extern "C" __global__ void __launch_bounds__(1024) displacement(const double *x, const double *hx, const double *y,
                                                                const double *hy, const double *Ax,
                                                                const double *Ahx, Int n, Int m, double *out) {
    __shared__ double room[64];
    double dx = 0.0, dy = 0.0, cross = 0.0;
    for (Int j = threadIdx.x; j < n; j += blockDim.x) dx += (hx[j] - x[j]) * (hx[j] - x[j]);
    for (Int i = threadIdx.x; i < m; i += blockDim.x) {
        const double d = hy[i] - y[i];
        dy += d * d;
        cross += d * (Ahx[i] - Ax[i]);
    }
    block_sums(dx, dy, room);
    cross = block_sum(cross, room);
    if (threadIdx.x == 0) {
        out[0] = dx;
        out[1] = dy;
        out[2] = cross;
    }
}

// out = v - beta other, then the part of it across the unit vector `normal`, as a unit vector; its norm before. No
// other and no normal stand for zeros. One block.
extern "C" __global__ void __launch_bounds__(1024) across(const double *v, const double *beta, const double *other,
                                                          const double *normal, Int n, double *out, double *norm) {
    __shared__ double room[32];
    double along = 0.0, square = 0.0;
    for (Int j = threadIdx.x; j < n; j += blockDim.x) {
        const double z = v[j] - (other ? *beta * other[j] : 0.0);
        if (normal) along += normal[j] * z;
        out[j] = z;
    }
    if (normal) along = block_sum(along, room);
    for (Int j = threadIdx.x; j < n; j += blockDim.x) {
        const double z = out[j] - (normal ? along * normal[j] : 0.0);
        square += z * z;
        out[j] = z;
    }
    const double size = sqrt(block_sum(square, room));
    for (Int j = threadIdx.x; j < n; j += blockDim.x) out[j] /= size > 0.0 ? size : 1.0;
    if (threadIdx.x == 0) *norm = size;
}
