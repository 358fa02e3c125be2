// A pass over the matrix of a cost that reads it from memory once and takes each exponential once.
//
// A cluster of CLUSTER blocks shares a row; a thread has PER columns of it, THREADS * PER >= columns of a block. The
// entries of the next row are on their way into shared memory while those of this one are worked on; its exponentials
// stay in registers until the sum of the row is known, and so do the column sums. SINGLE: exp in float32.
// REAL is the dtype of the matrix. SUMS: sums over a plan that is given, instead of a half step.

#if CLUSTER > 1
#define TOGETHER __cluster_dims__(CLUSTER, 1, 1)
#else
#define TOGETHER
#endif
#define UNIT (PER % 8 == 0 ? 8 : PER % 4 == 0 ? 4 : 2)  // columns of a thread that are worked on at once

#ifdef __CUDACC__  // on the host there is a stand-in for each
#if CLUSTER > 1
// Barriers on which a thread block waits for numbers that blocks of its cluster write into its shared memory.
__device__ inline void prepare(Int *barrier) {
    asm volatile("mbarrier.init.shared.b64 [%0], 1;" ::"r"(address(barrier)) : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ inline void expect(Int *barrier, int numbers) {
    asm volatile("{\n.reg .b64 state;\nmbarrier.arrive.expect_tx.shared.b64 state, [%0], %1;\n}" ::"r"(
                     address(barrier)),
                 "r"(numbers * 8)
                 : "memory");
}
__device__ inline void put(double *at, Int *barrier, int block, double x) {  // to where this block has it, in another
    asm volatile("{\n.reg .b32 to, by;\nmapa.shared::cluster.u32 to, %0, %2;\nmapa.shared::cluster.u32 by, %1, %2;\n"
                 "st.async.shared::cluster.mbarrier::complete_tx::bytes.b64 [to], %3, [by];\n}" ::"r"(address(at)),
                 "r"(address(barrier)), "r"(block), "l"(bits(x))
                 : "memory");
}
__device__ inline void await(Int *barrier, int parity) {
    asm volatile("{\n.reg .pred done;\nagain:\nmbarrier.try_wait.parity.shared.b64 done, [%0], %1;\n"
                 "@!done bra again;\n}" ::"r"(address(barrier)), "r"(parity)
                 : "memory");
}
__device__ inline void meet() { asm volatile("barrier.cluster.arrive;\nbarrier.cluster.wait;" ::: "memory"); }
#else
__device__ inline void prepare(Int *) {}
__device__ inline void expect(Int *, int) {}
__device__ inline void put(double *at, Int *, int, double x) { *at = x; }
__device__ inline void await(Int *, int) { __syncthreads(); }
__device__ inline void meet() { __syncthreads(); }
#endif
#endif

#define ROOM (2 * 32 * CLUSTER + 2)  // numbers

// What the threads of a cluster find, joined in a fixed order. Two rooms, and two barriers, in turn: before one is used
// again all threads have met once more, so that it is no longer read.
struct Meeting {
    double *room;
    int turn;

    __device__ inline void open() {
        if (threadIdx.x < 2) prepare(barrier(threadIdx.x));
    }
    __device__ inline Int *barrier(int which) { return (Int *)(room + 2 * 32 * CLUSTER) + which; }

    template <class F> __device__ inline double over(double x, double none, F join) {
        int lane = threadIdx.x % 32, warp = threadIdx.x / 32, which = turn % 2;
        double *here = room + which * 32 * CLUSTER;
        if (threadIdx.x == 0) expect(barrier(which), CLUSTER * THREADS / 32);
        for (int step = 16; step > 0; step /= 2) x = join(x, __shfl_xor_sync(ALL, x, step));
        if (lane < CLUSTER) put(here + blockIdx.x % CLUSTER * 32 + warp, barrier(which), lane, x);
        await(barrier(which), turn++ / 2 % 2);
        x = none;
#pragma unroll
        for (int b = 0; b < CLUSTER; b++) x = lane < THREADS / 32 ? join(x, here[b * 32 + lane]) : none;
        for (int step = 16; step > 0; step /= 2) x = join(x, __shfl_xor_sync(ALL, x, step));
        return x;
    }
    __device__ inline double sum(double x) {
        return over(x, 0.0, [](double p, double q) { return p + q; });
    }
    __device__ inline double largest(double x) {
        return over(x, -INF, [](double p, double q) { return q > p ? q : p; });
    }
};

// Rows k, k + groups, ... are those of cluster k. `shift` gets f_i + what makes the sum about 1 if f is a good guess,
// or else what makes the largest term 1; `rows` the sums of exp((shift_i + g_j - C_ij) / reg); parts is (groups, m).
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT) TOGETHER
    row_pass(const REAL *C, Int n, Int m, Int stride, const double *a, const double *f, const double *g, double reg,
             double *shift, double *rows, double *parts, double *paid, float *P, Int more) {
    Int group = blockIdx.x / CLUSTER, groups = gridDim.x / CLUSTER;
    Int width = (m + 32 * CLUSTER - 1) / (32 * CLUSTER) * 32, low = blockIdx.x % CLUSTER * width;
    int count = (int)(m - low < width ? m - low : width);  // perhaps below 0
    double *room = shared_room(), *potential = room + ROOM;
    REAL *row = (REAL *)(potential + PER * THREADS);
    Meeting meeting = {room, 0};
    meeting.open();
    double own[PER], unit = reg / LOG2E, drift = 0.0, all = 0.0;
    const Scale scale(reg, REACH);
    POWER p[PER];
    C += low;

#pragma unroll
    for (int q = 0; q < PER; q++) {
        int j = q * THREADS + threadIdx.x;
        bool there = j < count;
        potential[j] = there ? g[low + j] : -INF;
        own[q] = there && more ? parts[group * m + low + j] : 0.0;
        row[j] = 0;
        if (there && group < n) send(row + j, C + group * stride + j);
        if (q % UNIT == UNIT - 1) sent();
    }
    meet();
    double weight, f_next = group < n ? f[group] : 0.0, a_next = group < n ? a[group] : 0.0;
    for (Int i = group; i < n; i += groups) {
        bool last = i + groups >= n;
        const REAL *next = C + (i + groups) * stride + threadIdx.x;
        int ahead = last ? 0 : count;
        double mass = a_next, guess = SUMS ? f_next : f_next - exponent(a_next) * unit + drift;
        if (!last) f_next = f[i + groups], a_next = a[i + groups];
        if (!SUMS && !isfinite(guess)) guess = 0.0;
        POWER some = 0;
        double due = 0.0;
        bool wild = false;
#pragma unroll
        for (int k = 0; k < PER; k += UNIT) {
            if (k * THREADS >= count) {  // none of these columns; and what follows stays apart from what came before
                for (int q = k; q < k + UNIT; q++) p[q] = 0;
                sent();
                continue;
            }
            arrived<PER / UNIT - 1>();
            double x[UNIT], c[UNIT];
#pragma unroll
            for (int q = 0; q < UNIT; q++) {
                int j = (k + q) * THREADS + threadIdx.x;
                c[q] = row[j];
                x[q] = scale.clamped((potential[j] - c[q]) + guess, wild);
            }
            powers<UNIT>(x, scale, p + k);
#pragma unroll
            for (int q = 0; q < UNIT; q++) {
                some += p[k + q];
                if (SUMS) due += p[k + q] * payable(c[q]);
            }
#pragma unroll
            for (int q = k; q < k + UNIT; q++) {
                int j = q * THREADS + threadIdx.x;
                if (j < ahead) send(row + j, next + q * THREADS);
            }
            sent();
        }
        double sum = meeting.sum(wild ? INF : (double)some);
        if (SUMS ? sum == INF : !(sum >= LEAST && sum <= MOST)) {  // a bad guess, or NaN: from the largest term
            double top = -INF;
            for (int j = threadIdx.x; j < count; j += THREADS) {
                double x = potential[j] - C[i * stride + j];
                top = x > top ? x : top;
            }
            top = meeting.largest(top);
            if (!SUMS) {
                drift = isfinite(top) ? drift - top - guess : 0.0;
                guess = isfinite(top) ? -top : 0.0;
            }
            some = 0;
            due = 0.0;
#pragma unroll
            for (int q = 0; q < PER; q++) {
                int j = q * THREADS + threadIdx.x;
                double c = j < count ? C[i * stride + j] : INF;
                p[q] = (POWER)power_of_any((potential[j] - c) + guess, scale);
                some += p[q];
                if (SUMS) due += p[q] * payable(c);
            }
            sum = meeting.sum(some);
        }
        all += due;
        if (threadIdx.x == 0 && blockIdx.x % CLUSTER == 0) shift[i] = guess, rows[i] = sum;
        weight = SUMS ? 1.0 : sum == 0.0 ? 0.0 : mass / sum;
#pragma unroll
        for (int q = 0; q < PER; q++) {
            own[q] += p[q] * weight;
            int j = q * THREADS + threadIdx.x;
            if (P && j < count) P[i * m + low + j] = (float)(p[q] * weight);
        }
    }
#pragma unroll
    for (int q = 0; q < PER; q++) {
        int j = q * THREADS + threadIdx.x;
        if (j < count) parts[group * m + low + j] = own[q];
    }
    all = meeting.sum(SUMS ? all : 0.0);
    if (SUMS && threadIdx.x == 0 && blockIdx.x % CLUSTER == 0) paid[group] = more ? paid[group] + all : all;
    meet();  // no block ends while another may yet write to it
}

// The column sums, from their parts, and the half step of each row; +inf where it has no entry.
extern "C" __global__ void settle(Int n, Int m, Int groups, const double *a, double reg, const double *shift,
                                  const double *rows, const double *parts, double *f, double *c) {
    Int k = blockIdx.x * (Int)blockDim.x + threadIdx.x;
    if (k < m) {
        double total = 0.0;
#pragma unroll 8
        for (Int b = 0; b < groups; b++) total += parts[b * m + k];
        c[k] = total;
    } else if (k - m < n) {
        k -= m;
        f[k] = rows[k] == 0.0 ? INF : shift[k] + reg * log(a[k] / rows[k]);
    }
}
