// Errors of a pair of points of a linear program: sums over rows and columns, and what follows from them.

// Over rows: squares of what is violated, in the caller's units and in scaled ones, of scaled multipliers, the sum b.y
// and that of its absolute values. Over columns: squares of reduced costs without a bound, in both units, and of scaled
// variables, the sums of c.x and of what bounds pay, and those of their absolute values.
enum { OFF, OFF_SCALED, MULTIPLIERS, SIDE, SIDES, LOOSE, LOOSE_SCALED, VARIABLES, VALUE, VALUES, PAID, ALL_PAID, SUMS };

__device__ inline double larger(double a, double b) { return a > b || a != a ? a : b; }  // NaN stays

extern "C" __global__ void __launch_bounds__(256) error_parts(
    const double *c, const double *b, const double *lower, const double *upper, const double *rows,
    const double *columns, const double *x, const double *y, const double *Ax, const double *ATy, Int n, Int m,
    Int unequal, double *parts) {
    __shared__ double room[32];
    const Int first = blockIdx.x * (Int)256 + threadIdx.x, apart = gridDim.x * (Int)256;
    double sums[SUMS] = {};
    auto square = [&](int k, double z) { sums[k] += z * z; };
    for (Int i = first; i < m; i += apart) {
        double off = Ax[i] - b[i];
        off = i < unequal && off < 0.0 ? 0.0 : off;
        square(OFF, off);
        square(OFF_SCALED, off * rows[i]);
        square(MULTIPLIERS, y[i] / rows[i]);
        sums[SIDE] += b[i] * y[i];
        sums[SIDES] += fabs(b[i] * y[i]);
    }
    for (Int j = first; j < n; j += apart) {
        const double reduced = c[j] + ATy[j], bound = reduced > 0.0 ? lower[j] : upper[j];
        const bool held = fabs(bound) < INF;
        const double paid = held ? reduced * bound : 0.0, loose = held ? 0.0 : reduced;
        square(LOOSE, loose);
        square(LOOSE_SCALED, loose * columns[j]);
        square(VARIABLES, x[j] / columns[j]);
        sums[VALUE] += c[j] * x[j];
        sums[VALUES] += fabs(c[j] * x[j]);
        sums[PAID] += paid;
        sums[ALL_PAID] += fabs(paid);
    }
#pragma unroll
    for (int k = 0; k < SUMS; k++) {
        const double sum = block_sum(sums[k], room);
        if (threadIdx.x == 0) parts[k * gridDim.x + blockIdx.x] = sum;
    }
}

// out = (the largest error, that of x, that of y, the gap, the value of x, that of y); a warp adds up a kind of sums.
// `side` and `cost` are the sizes of b and c, in both units; the gap is relative to no less than `least` of what the
// norms allow.
extern "C" __global__ void __launch_bounds__(384) errors(const double *parts, Int count, double side,
                                                         double side_scaled, double cost, double cost_scaled,
                                                         double least, double *out) {
    __shared__ double sums[SUMS];
    const int lane = threadIdx.x % 32, kind = threadIdx.x / 32;
    double total = 0.0;
    for (Int p = lane; p < count; p += 32) total += parts[kind * count + p];
    total = warp_sum(total);
    if (lane == 0) sums[kind] = total;
    __syncthreads();
    if (threadIdx.x > 0) return;
    const double most = cost_scaled * sqrt(sums[VARIABLES]) + side_scaled * sqrt(sums[MULTIPLIERS]);
    const double size = larger(sums[VALUES] + sums[SIDES] + sums[ALL_PAID], least * most);
    out[1] = larger(sqrt(sums[OFF]) / side, sqrt(sums[OFF_SCALED]) / side_scaled);
    out[2] = larger(sqrt(sums[LOOSE]) / cost, sqrt(sums[LOOSE_SCALED]) / cost_scaled);
    out[4] = sums[VALUE];
    out[5] = sums[PAID] - sums[SIDE];
    out[3] = fabs(out[4] - out[5]) / (size > 0.0 ? size : 1.0);
    out[0] = larger(larger(out[1], out[2]), out[3]);
}
