// Relaxation sweeps, level by level: the rows of a level do not touch one another, a thread for each.
// INDEX is the type of the columns and of the starts of the rows. Every kernel of a sweep first looks at `done`: once
// a residual is small enough, or the sweep diverges, what was launched after it changes nothing, and nobody had to ask.

__device__ inline double times(const double *values, const INDEX *columns, const INDEX *starts, Int i,
                               const double *x) {
    double total = 0.0;
    for (Int q = starts[i]; q < starts[i + 1]; q++) total += values[q] * x[columns[q]];
    return total;
}

// One level of a forward sweep: x and low = L x in place; parts[block] is the square of what was read of the residual.
extern "C" __global__ void sor(const double *lower_values, const INDEX *lower_columns, const INDEX *lower_starts, const double *upper_values, const INDEX *upper_columns, const INDEX *upper_starts, const double *diagonal, const double *b, double *x,
                               double *low, double omega, Int first, Int after, const Int *done, double *parts) {
    __shared__ double room[32];
    if (*done) return;
    Int i = first + blockIdx.x * (Int)blockDim.x + threadIdx.x;
    double square = 0.0;
    if (i < after) {
        double rest = b[i] - x[i] - times(upper_values, upper_columns, upper_starts, i, x), fresh = times(lower_values, lower_columns, lower_starts, i, x);
        double r = diagonal[i] * (rest - low[i]);
        square = r * r;
        low[i] = fresh;
        x[i] += omega * (rest - fresh);
    }
    square = block_sum(square, room);
    if (threadIdx.x == 0) parts[blockIdx.x] = square;
}

// One level of the forward half of a double sweep: half = the point between, low = L half.
extern "C" __global__ void ssor_forward(const double *lower_values, const INDEX *lower_columns, const INDEX *lower_starts, const double *diagonal, const double *b, const double *x,
                                        double *half, double *low, const double *up, double omega, Int first,
                                        Int after, const Int *done, double *parts) {
    __shared__ double room[32];
    if (*done) return;
    Int i = first + blockIdx.x * (Int)blockDim.x + threadIdx.x;
    double square = 0.0;
    if (i < after) {
        double rest = b[i] - x[i] - up[i], r = diagonal[i] * (rest - times(lower_values, lower_columns, lower_starts, i, x));
        square = r * r;
        low[i] = times(lower_values, lower_columns, lower_starts, i, half);
        half[i] = x[i] + omega * (rest - low[i]);
    }
    square = block_sum(square, room);
    if (threadIdx.x == 0) parts[blockIdx.x] = square;
}

// One level of the backward half: up = U x of the new x.
extern "C" __global__ void ssor_backward(const double *upper_values, const INDEX *upper_columns, const INDEX *upper_starts, const double *b, double *x, const double *half,
                                         const double *low, double *up, double omega, Int first, Int after,
                                         const Int *done) {
    if (*done) return;
    Int i = first + blockIdx.x * (Int)blockDim.x + threadIdx.x;
    if (i >= after) return;
    up[i] = times(upper_values, upper_columns, upper_starts, i, x);
    x[i] = half[i] + omega * (b[i] - low[i] - half[i] - up[i]);
}

// The end of a sweep, one block: squares[k] is the sum of the parts; done counts the sweeps once they are enough.
extern "C" __global__ void __launch_bounds__(1024) settle(const double *parts, Int count, double target, double growth, Int k,
                                  double *squares, Int *done) {
    __shared__ double room[32];
    if (*done) return;
    double square = 0.0;
    for (Int q = threadIdx.x; q < count; q += blockDim.x) square += parts[q];
    square = block_sum(square, room);
    if (threadIdx.x == 0) {
        squares[k] = square;
        if (!(square > target && square / growth <= squares[0])) *done = k + 1;
    }
}

// low = L x and up = U x, all rows at once.
extern "C" __global__ void products(const double *lower_values, const INDEX *lower_columns, const INDEX *lower_starts,
                                    const double *upper_values, const INDEX *upper_columns, const INDEX *upper_starts,
                                    const double *x, Int n, double *low, double *up) {
    Int i = blockIdx.x * (Int)blockDim.x + threadIdx.x;
    if (i >= n) return;
    low[i] = times(lower_values, lower_columns, lower_starts, i, x);
    up[i] = times(upper_values, upper_columns, upper_starts, i, x);
}

// One level of g = K^{-1} (b - A x), K = D / omega + L, with parts of the squared residual.
extern "C" __global__ void pcg_start(const double *lower_values, const INDEX *lower_columns, const INDEX *lower_starts,
                                     const double *upper_values, const INDEX *upper_columns, const INDEX *upper_starts,
                                     const double *diagonal, const double *b, const double *x, double *g, double omega,
                                     Int first, Int after, double *parts) {
    __shared__ double room[32];
    Int i = first + blockIdx.x * (Int)blockDim.x + threadIdx.x;
    double r = 0.0;
    if (i < after) {
        r = b[i] - x[i] - times(lower_values, lower_columns, lower_starts, i, x);
        r -= times(upper_values, upper_columns, upper_starts, i, x);
        g[i] = omega * (r - times(lower_values, lower_columns, lower_starts, i, g));
        r *= diagonal[i];
    }
    double square = block_sum(r * r, room);
    if (threadIdx.x == 0) parts[blockIdx.x] = square;
}

// What the last step left to do, and, unless `only`, the next direction.
extern "C" __global__ void pcg_update(double *x, double *g, double *p, const double *t, const double *y, double alpha,
                                      double beta, double c, Int only, Int n) {
    Int i = blockIdx.x * (Int)blockDim.x + threadIdx.x;
    if (i >= n) return;
    x[i] += alpha * t[i];
    g[i] -= alpha * (t[i] + y[i]);
    if (!only) p[i] = c * g[i] + beta * p[i];
}

// One level of t = K^{-T} D p, from the last level on.
extern "C" __global__ void pcg_backward(const double *upper_values, const INDEX *upper_columns,
                                        const INDEX *upper_starts, const double *p, double *t, double omega, Int first,
                                        Int after) {
    Int i = first + blockIdx.x * (Int)blockDim.x + threadIdx.x;
    if (i < after) t[i] = omega * (p[i] - times(upper_values, upper_columns, upper_starts, i, t));
}

// One level of y = K^{-1} D (p - c t), with parts of five sums: |K g|^2 and the products by D of q = t + y with p, g
// and itself, and of g with itself.
extern "C" __global__ void pcg_forward(const double *lower_values, const INDEX *lower_columns,
                                       const INDEX *lower_starts, const double *diagonal, const double *g,
                                       const double *p, const double *t, double *y, double omega, double c, Int first,
                                       Int after, double *parts) {
    __shared__ double room[32];
    Int i = first + blockIdx.x * (Int)blockDim.x + threadIdx.x;
    double sums[5] = {0.0, 0.0, 0.0, 0.0, 0.0};
    if (i < after) {
        y[i] = omega * (p[i] - c * t[i] - times(lower_values, lower_columns, lower_starts, i, y));
        double d = diagonal[i], q = t[i] + y[i];
        double r = d * (g[i] / omega + times(lower_values, lower_columns, lower_starts, i, g));
        sums[0] = r * r;
        sums[1] = d * q * p[i];
        sums[2] = d * q * g[i];
        sums[3] = d * q * q;
        sums[4] = d * g[i] * g[i];
    }
    for (int k = 0; k < 5; k++) {
        double total = block_sum(sums[k], room);
        if (threadIdx.x == 0) parts[blockIdx.x * 5 + k] = total;
    }
}

// Parts of ||K g||^2, all rows at once.
extern "C" __global__ void pcg_norm(const double *lower_values, const INDEX *lower_columns, const INDEX *lower_starts,
                                    const double *diagonal, const double *g, double omega, Int n, double *parts) {
    __shared__ double room[32];
    Int i = blockIdx.x * (Int)blockDim.x + threadIdx.x;
    double r = 0.0;
    if (i < n) r = diagonal[i] * (g[i] / omega + times(lower_values, lower_columns, lower_starts, i, g));
    r = block_sum(r * r, room);
    if (threadIdx.x == 0) parts[blockIdx.x] = r;
}

// out_k = the sum of parts[q * width + k] over q, a block for each k.
extern "C" __global__ void __launch_bounds__(1024) add_up(const double *parts, Int count, Int width, double *out) {
    __shared__ double room[32];
    double total = 0.0;
    for (Int q = threadIdx.x; q < count; q += blockDim.x) total += parts[q * width + blockIdx.x];
    total = block_sum(total, room);
    if (threadIdx.x == 0) out[blockIdx.x] = total;
}
