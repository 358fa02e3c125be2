// Products with sparse matrices, and largest entries: a warp for each row.

// out_i = sum over q in [start_i, start_i+1) of values[at_q] x[index[at_q]], where at_q is order[q], or q without one.
extern "C" __global__ void row_sums(const double *values, const INDEX *index, const Int *order, const INDPTR *start,
                                 const double *x, Int n, double *out) {
    int lane = threadIdx.x % 32;
    Int i = (blockIdx.x * (Int)blockDim.x + threadIdx.x) / 32;
    if (i >= n) return;
    double total = 0.0;
    for (Int q = start[i] + lane; q < start[i + 1]; q += 32) {
        Int at = order ? order[q] : q;
        total += values[at] * x[index[at]];
    }
    total = warp_sum(total);
    if (lane == 0) out[i] = total;
}

// out_i = the largest values[q] x[index[q]] of row i, 0 where it has no entries; NaN stays.
extern "C" __global__ void row_maxima(const double *values, const INDEX *index, const INDPTR *start, const double *x,
                                      Int n, double *out) {
    int lane = threadIdx.x % 32;
    Int i = (blockIdx.x * (Int)blockDim.x + threadIdx.x) / 32;
    if (i >= n) return;
    double top = start[i] < start[i + 1] ? -INF : 0.0;
    auto raise = [&top](double z) { top = z > top || z != z ? z : top; };
    for (Int q = start[i] + lane; q < start[i + 1]; q += 32) raise(values[q] * x[index[q]]);
    for (int step = 16; step > 0; step /= 2) raise(__shfl_xor_sync(ALL, top, step));
    if (lane == 0) out[i] = top;
}
