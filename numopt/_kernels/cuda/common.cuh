// What all sources share. A block has a multiple of 32 threads in one dimension, at most 1024.
// Sums follow a fixed order, and no result depends on what blocks count for one another: equal inputs give equal bits.

typedef long long Int;
typedef unsigned short Short;

#define INF __longlong_as_double(0x7ff0000000000000LL)
#define ALL 0xffffffffu

__device__ inline double warp_sum(double x) {
    for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(ALL, x, step);  // equal in all lanes
    return x;
}

// The sum over the threads of a block, known to all of them; `room` is shared memory for 32 numbers.
__device__ inline double block_sum(double x, double *room) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    x = warp_sum(x);
    __syncthreads();  // the room may still be read from the last time
    if (lane == 0) room[warp] = x;
    __syncthreads();
    return warp_sum(lane < warps ? room[lane] : 0.0);
}

__device__ inline double clamped(double e) { return e < -708.0 ? -708.0 : e > 709.0 ? 709.0 : e; }

// Exponentials, for transport.

#define LOG2E 1.4426950408889634

__device__ inline Int bits(double x) { return __double_as_longlong(x); }

// floor(log2(x)) of a positive normal number, and -1023 of zero.
__device__ inline double exponent(double x) { return (double)((bits(x) >> 52 & 2047) - 1023); }

// The polynomial of 2^r for |r| <= 1/2, to 2e-17 of it; 1.5 * 2^52; 1.5 * 2^29.
__constant__ double POWERS[] = {4.4549605981865186e-10, 7.072585949269223e-09, 1.0178062445845774e-07,
                                1.321544258792169e-06, 1.525273382983612e-05, 0.0001540353044173605,
                                0.0013333558146416936, 0.009618129107606888, 0.0555041086648216,
                                0.24022650695910097, 0.6931471805599453, 1.0, 0x1.8p52, 0x1.8p29};

// exp(x / reg) = 2^(x scale), computed for low <= x <= high.
struct Scale {
    double scale, low, high;

    __device__ inline Scale(double reg, double most) : scale(LOG2E / reg), low(-most * (reg / LOG2E)), high(-low) {}

    // `x`, or about `low` where it is less, also for -inf; `wild` is set where x is above `high` or NaN.
    __device__ inline double clamped(double x, bool &wild) const {
        wild |= !(x <= high);
        unsigned top = __double2hiint(x), least = __double2hiint(low);  // of negative numbers, larger is further down
        return __hiloint2double(top < least ? top : least, __double2loint(x));
    }
};

// As 2^n 2^r with integer n and |r| <= 1/2: adding 1.5 * 2^52 leaves n in the low bits. COUNT at once, since each
// operation waits for the one before it.
template <int COUNT> __device__ inline void powers(const double *x, const Scale &by, double *out) {
    double near[COUNT], r[COUNT], y[COUNT];
#pragma unroll
    for (int q = 0; q < COUNT; q++) {
        near[q] = fma(x[q], by.scale, POWERS[12]);
        y[q] = POWERS[0];
    }
#pragma unroll
    for (int q = 0; q < COUNT; q++) r[q] = fma(x[q], by.scale, POWERS[12] - near[q]);
#pragma unroll
    for (int k = 1; k < 12; k++)
#pragma unroll
        for (int q = 0; q < COUNT; q++) y[q] = fma(y[q], r[q], POWERS[k]);
#pragma unroll
    for (int q = 0; q < COUNT; q++)
        out[q] = __hiloint2double(__double2hiint(y[q]) + (__double2loint(near[q]) << 20), __double2loint(y[q]));
}

// In float32, from the exponent in steps of 2^-23. For |x scale| <= 120.
template <int COUNT> __device__ inline void powers(const double *x, const Scale &by, float *out) {
#pragma unroll
    for (int q = 0; q < COUNT; q++) {
        int n = __double2loint(fma(x[q], by.scale, POWERS[13]));
        float y = exp2f(__int_as_float(0x3f800000 | (n & 0x7fffff)) - 1.0f);
        out[q] = __int_as_float(__float_as_int(y) + (n & ~0x7fffff));
    }
}

// Of any x, at most 2^100.
__device__ inline double power_of_any(double x, const Scale &by) {
    if (x != x || x < by.low) return x < by.low ? 0.0 : x;
    double y = INF;
    if (x <= by.high) powers<1>(&x, by, &y);
    return y < 0x1p100 ? y : 0x1p100;
}

// What a pair costs to which nothing goes if it is forbidden.
__device__ inline double payable(double c) { return __double2hiint(c) == 0x7ff00000 ? 0.0 : c; }

// Sources with exponentials choose their precision by SINGLE; sums of them between LEAST and MOST are trusted.
#ifdef SINGLE
#if SINGLE
#define POWER float
#define LEAST 0x1p-16
#define MOST 0x1p100
#define REACH 120.0
#else
#define POWER double
#define LEAST 0x1p-60
#define MOST 0x1p960
#define REACH 1000.0
#endif
#endif

// Copies to shared memory while a thread goes on, for transport.

#ifdef __CUDACC__  // where these sources run on the host there is a stand-in for each
extern __shared__ double shared[];  // what a launch asks for
__device__ inline double *shared_room() { return shared; }
__device__ inline unsigned address(const void *p) { return (unsigned)__cvta_generic_to_shared(p); }

// An item of 4, 8 or 16 bytes on its way; those between two calls of `sent` are a group.
template <class T> __device__ inline void send(T *to, const T *from) {
    if constexpr (sizeof(T) == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address(to)), "l"(from) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(address(to)), "l"(from), "n"(sizeof(T))
                     : "memory");
}
__device__ inline void sent() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until no more than LATER groups of this thread are on their way.
template <int LATER> __device__ inline void arrived() {
    asm volatile("cp.async.wait_group %0;" ::"n"(LATER) : "memory");
}
#endif
