// Vector steps of the primal-dual hybrid gradient method, and products with a float32 matrix in float64.

// The threshold t with sum w [v - t w]_+ = total: Newton's method from the left of it, which stops when what lies above
// no longer becomes less. No w stands for ones. One block.
__device__ double threshold(const double *v, const double *w, Int n, double total, double *room) {
    double sum = 0.0, square = 0.0;
    for (Int j = threadIdx.x; j < n; j += blockDim.x) {
        double u = w ? w[j] : 1.0;
        sum += u * v[j];
        square += u * u;
    }
    sum = block_sum(sum, room);
    square = block_sum(square, room);
    double t = (sum - total) / square, last = 2.0 * square;
    for (;;) {
        double excess = 0.0;
        square = 0.0;
        for (Int j = threadIdx.x; j < n; j += blockDim.x) {
            double u = w ? w[j] : 1.0, d = v[j] - t * u;
            if (d > 0.0) {
                excess += u * d;
                square += u * u;
            }
        }
        excess = block_sum(excess, room);
        square = block_sum(square, room);
        if (!(square > 0.0 && square < last)) return t;
        t += (excess - total) / square;
        last = square;
    }
}

// out = [v - t w]_+ with w.out = total; one block.
extern "C" __global__ void __launch_bounds__(1024) project_simplex(const double *v, const double *w, Int n, double total,
                                                                   double *out) {
    __shared__ double room[32];
    double t = threshold(v, w, n, total, room);
    for (Int j = threadIdx.x; j < n; j += blockDim.x) {
        double d = v[j] - t * (w ? w[j] : 1.0);
        out[j] = d < 0.0 ? 0.0 : d;  // NaN stays
    }
}

// out = v + step (s q + u p + w r), where p may be null, clipped if there are bounds: the step in x is
// -tau (c + A^T y), that in y is sigma (2 A xh - A x - b).
extern "C" __global__ void moved(const double *v, double step, double s, const double *q, double u, const double *p,
                                 double w, const double *r, const double *lower, const double *upper, Int n,
                                 double *out) {
    Int j = blockIdx.x * (Int)blockDim.x + threadIdx.x;
    if (j >= n) return;
    double z = v[j] + step * (s * q[j] + (p ? u * p[j] : 0.0) + w * r[j]);
    if (lower) {
        z = z < lower[j] ? lower[j] : z;
        z = z > upper[j] ? upper[j] : z;
    }
    out[j] = z;
}

// v = a (2 hat - v) + (1 - a) anchor, for a vector and its product with the matrix.
extern "C" __global__ void averaged(const double *v, const double *hat, const double *anchor, const double *Mv,
                                    const double *Mhat, const double *Manchor, double a, Int n, Int m, double *out,
                                    double *Mout) {
    Int j = blockIdx.x * (Int)blockDim.x + threadIdx.x;
    if (j < n) out[j] = a * (2.0 * hat[j] - v[j]) + (1.0 - a) * anchor[j];
    if (j < m) Mout[j] = a * (2.0 * Mhat[j] - Mv[j]) + (1.0 - a) * Manchor[j];
}

// |hat_x - x|^2, |hat_y - y|^2 and <hat_y - y, A (hat_x - x)>; one block.
extern "C" __global__ void __launch_bounds__(1024) displacement(const double *x, const double *hx, const double *y, const double *hy,
                                        const double *Ax, const double *Ahx, Int n, Int m, double *out) {
    __shared__ double room[32];
    double dx = 0.0, dy = 0.0, cross = 0.0;
    for (Int j = threadIdx.x; j < n; j += blockDim.x) dx += (hx[j] - x[j]) * (hx[j] - x[j]);
    for (Int i = threadIdx.x; i < m; i += blockDim.x) {
        double d = hy[i] - y[i];
        dy += d * d;
        cross += d * (Ahx[i] - Ax[i]);
    }
    dx = block_sum(dx, room);
    dy = block_sum(dy, room);
    cross = block_sum(cross, room);
    if (threadIdx.x == 0) {
        out[0] = dx;
        out[1] = dy;
        out[2] = cross;
    }
}

// out = A x for a float32 matrix, in float64; a block for each row.
extern "C" __global__ void forward(const float *A, const double *x, Int n, double *out) {
    __shared__ double room[32];
    const float *row = A + blockIdx.x * n;
    double total = 0.0;
#pragma unroll 4
    for (Int j = threadIdx.x; j < n; j += blockDim.x) total += row[j] * x[j];
    total = block_sum(total, room);
    if (threadIdx.x == 0) out[blockIdx.x] = total;
}

// Parts of A^T y: block (b, c) adds up rows b, b + gridDim.x, ... of a tile of columns. parts is (gridDim.x, n).
extern "C" __global__ void adjoint(const float *A, const double *y, Int m, Int n, double *parts) {
    Int j = blockIdx.y * (Int)blockDim.x + threadIdx.x;
    if (j >= n) return;
    double total = 0.0;
#pragma unroll 4
    for (Int i = blockIdx.x; i < m; i += gridDim.x) total += A[i * n + j] * y[i];
    parts[blockIdx.x * n + j] = total;
}
