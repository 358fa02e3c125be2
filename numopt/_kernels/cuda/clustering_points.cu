// Passes over points with labels, float64, by blocks of 256 points; a thread has a point.

#define POINTS 256

// The sizes of clusters and the sums of their points over a block: totals (k, p + 1), sizes last. A thread adds up one
// coordinate of one cluster, in the order of the points.
__device__ inline void cluster_sums(const double *X, const int *label, Int first, Int n, Int p, Int k, double *totals) {
    const int count = n - first < POINTS ? (int)(n - first) : POINTS;
    for (Int e = threadIdx.x; e < k * (p + 1); e += POINTS) {
        int cluster = (int)(e / (p + 1));
        Int q = e % (p + 1);
        double total = 0.0;
        for (int line = 0; line < count; line++)
            if (label[line] == cluster) total += q < p ? X[(first + line) * p + q] : 1.0;
        totals[e] = total;
    }
}

// labels of the nearest centres; parts (blocks, k (p + 1) + 1): cluster sums, and the sum of squared distances.
extern "C" __global__ void __launch_bounds__(POINTS) lloyd_pass(const double *X, const double *centres, Int n, Int p,
                                                                Int k, Int *labels, double *parts) {
    __shared__ int label[POINTS];
    __shared__ double room[32];
    const int t = threadIdx.x;
    const Int first = (Int)blockIdx.x * POINTS, i = first + t, width = k * (p + 1) + 1;
    double least = INF;
    int best = 0;
    if (i < n) {
        const double *x = X + i * p;
        for (Int c = 0; c < k; c += 4) {
            double d[4] = {};
            for (Int q = 0; q < p; q++) {
                double value = x[q];
#pragma unroll
                for (int g = 0; g < 4; g++) {
                    double off = value - (c + g < k ? centres[(c + g) * p + q] : 0.0);
                    d[g] += off * off;
                }
            }
#pragma unroll
            for (int g = 0; g < 4; g++)
                if (c + g < k && (c + g == 0 || d[g] < least || least != least)) least = d[g], best = (int)(c + g);
        }
        labels[i] = best;
    }
    label[t] = best;
    __syncthreads();
    cluster_sums(X, label, first, n, p, k, parts + blockIdx.x * width);
    double total = block_sum(i < n ? least : 0.0, room);
    if (t == 0) parts[blockIdx.x * width + width - 1] = total;
}

// parts (blocks, k (p + 1)) for given labels.
extern "C" __global__ void __launch_bounds__(POINTS) label_sums(const double *X, const Int *labels, Int n, Int p, Int k,
                                                                double *parts) {
    __shared__ int label[POINTS];
    const Int first = (Int)blockIdx.x * POINTS, i = first + threadIdx.x;
    label[threadIdx.x] = i < n ? (int)labels[i] : 0;
    __syncthreads();
    cluster_sums(X, label, first, n, p, k, parts + blockIdx.x * k * (p + 1));
}

// |x - m_b|^2 - |x - m_a|^2
__device__ inline double margin(const double *x, const double *own, const double *other, Int p) {
    double total = 0.0;
    for (Int q = 0; q < p; q++) {
        double to = other[q] - own[q];
        total += to * (to - 2.0 * (x[q] - own[q]));
    }
    return total;
}

// parts[0][block], parts[1][block]: squared distances to the own centre, and the least margin weighed by sizes.
extern "C" __global__ void __launch_bounds__(POINTS) spread(const double *X, const Int *labels, const double *centres,
                                                            const double *sizes, Int n, Int p, Int k, double *parts) {
    __shared__ double room[32], minima[POINTS / 32];
    const int t = threadIdx.x;
    const Int i = (Int)blockIdx.x * POINTS + t;
    double square = 0.0, least = INF;
    if (i < n) {
        const Int a = labels[i];
        const double *x = X + i * p, *own = centres + a * p;
        for (Int q = 0; q < p; q++) square += (x[q] - own[q]) * (x[q] - own[q]);
        for (Int b = 0; b < k; b++) {
            if (b == a) continue;
            double found = margin(x, own, centres + b * p, p) / (1.0 / sizes[a] + 1.0 / sizes[b]);
            if (!(found >= least)) least = found;  // NaN is the least
        }
    }
    for (int step = 16; step > 0; step /= 2) {
        double other = __shfl_down_sync(ALL, least, step);
        if (!(other >= least) && !(least != least)) least = other;
    }
    if (t % 32 == 0) minima[t / 32] = least;
    square = block_sum(square, room);
    if (t > 0) return;
    for (int w = 1; w < POINTS / 32; w++)
        if (!(minima[w] >= least) && !(least != least)) least = minima[w];
    parts[blockIdx.x] = square;
    parts[gridDim.x + blockIdx.x] = least;
}

// Z (rows, p + k): the features of points of which `pair_grams` wants the Gram matrices, and the clusters of points as
// `own`; zeros and -1 behind the last point.
extern "C" __global__ void __launch_bounds__(POINTS) features(const double *X, const Int *labels, const double *centres,
                                                              const double *sizes, double tau, Int n, Int p, Int k,
                                                              double *Z, Int *own) {
    const Int i = (Int)blockIdx.x * POINTS + threadIdx.x;
    own[i] = i < n ? labels[i] : -1;
    if (i >= n) {
        for (Int q = 0; q < p + k; q++) Z[i * (p + k) + q] = 0.0;
        return;
    }
    const Int a = labels[i];
    const double *x = X + i * p;
    for (Int q = 0; q < p; q++) Z[i * (p + k) + q] = x[q] - centres[a * p + q];
    for (Int b = 0; b < k; b++) {
        double found = 0.0;
        if (b != a) {
            found = margin(x, centres + a * p, centres + b * p, p) - tau * (1.0 / sizes[a] + 1.0 / sizes[b]);
            found = 0.5 * sizes[b] * (found < 0 ? 0.0 : found);  // NaN stays
        }
        Z[i * (p + k) + p + b] = found;
    }
}
