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
extern "C" __global__ void settle(const double *parts, Int count, double target, double growth, Int k,
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
