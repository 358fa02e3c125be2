// What all sources share. A block has a multiple of 32 threads in one dimension, at most 1024.
// Sums follow a fixed order, and there are no atomics: equal inputs give equal bits.

typedef long long Int;

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

#define LOG2E 1.4426950408889634

__device__ inline Int bits(double x) { return __double_as_longlong(x); }

// floor(log2(x)) of a positive normal number, and -1023 of zero.
__device__ inline double exponent(double x) { return (double)((bits(x) >> 52 & 2047) - 1023); }

__constant__ double ROOTS[32] = {  // 2^(k / 32)
    1.0, 1.0218971486541166, 1.0442737824274138, 1.0671404006768237, 1.0905077326652577, 1.1143867425958924,
    1.1387886347566916, 1.1637248587775775, 1.189207115002721, 1.215247359980469, 1.241857812073484,
    1.2690509571917332, 1.2968395546510096, 1.3252366431597413, 1.3542555469368927, 1.383909881963832,
    1.4142135623730951, 1.4451808069770467, 1.4768261459394993, 1.5091644275934228, 1.5422108254079407,
    1.5759808451078865, 1.6104903319492543, 1.645755478153965, 1.681792830507429, 1.718619298122478,
    1.7562521603732995, 1.7947090750031072, 1.8340080864093424, 1.8741676341103, 1.9152065613971474,
    1.9571441241754002};

// (2^(r / 32) - 1) / r for |r| <= 1/2, to 3e-16 of the power; 1.5 * 2^52; 1.5 * 2^34.
__constant__ double POWERS[] = {3.9737238568525983e-11, 9.172607532092245e-09, 1.6938509724285119e-06,
                                0.0002345961981994449, 0.02166084939249829, 0x1.8p52, 0x1.8p34};

// exp(x / reg) = 2^(x scale / 32), computed for low <= x <= high.
struct Scale {
    double scale, low, high, root;

    __device__ inline Scale(double reg, double most)
        : scale(32.0 * LOG2E / reg), low(-most * (reg / LOG2E)), high(-low), root(ROOTS[threadIdx.x % 32]) {}

    // `x`, or about `low` where it is less, also for -inf; `wild` is set where x is above `high` or NaN.
    __device__ inline double clamped(double x, bool &wild) const {
        wild |= !(x <= high);
        unsigned top = __double2hiint(x), least = __double2hiint(low);  // of negative numbers, larger is further down
        return __hiloint2double(top < least ? top : least, __double2loint(x));
    }
};

// As 2^(k / 32) 2^(r / 32) with integer k and |r| <= 1/2: adding 1.5 * 2^52 leaves k in the low bits, and each lane of
// the warp, of which none may be missing, has one of the roots. COUNT at once, since each waits for its last operation.
template <int COUNT> __device__ inline void powers(const double *x, const Scale &by, double *out) {
    double near[COUNT], r[COUNT], y[COUNT], root[COUNT];
#pragma unroll
    for (int q = 0; q < COUNT; q++) {
        near[q] = fma(x[q], by.scale, POWERS[5]);
        root[q] = __shfl_sync(ALL, by.root, __double2loint(near[q]) & 31);
        y[q] = POWERS[0];
    }
#pragma unroll
    for (int q = 0; q < COUNT; q++) r[q] = fma(x[q], by.scale, POWERS[5] - near[q]);
#pragma unroll
    for (int k = 1; k < 5; k++)
#pragma unroll
        for (int q = 0; q < COUNT; q++) y[q] = fma(y[q], r[q], POWERS[k]);
#pragma unroll
    for (int q = 0; q < COUNT; q++) {
        y[q] = fma(y[q] * r[q], root[q], root[q]);
        int n = (__double2loint(near[q]) << 15) & ~0xfffff;
        out[q] = __hiloint2double(__double2hiint(y[q]) + n, __double2loint(y[q]));
    }
}

// In float32, from the exponent in steps of 2^-23. For |x scale| <= 120.
template <int COUNT> __device__ inline void powers(const double *x, const Scale &by, float *out) {
#pragma unroll
    for (int q = 0; q < COUNT; q++) {
        int n = __double2loint(fma(x[q], by.scale, POWERS[6]));
        float y = exp2f(__int_as_float(0x3f800000 | (n & 0x7fffff)) - 1.0f);
        out[q] = __int_as_float(__float_as_int(y) + (n & ~0x7fffff));
    }
}

// Of any x, at most 2^100, by any thread alone.
__device__ inline double power_of_any(double x, const Scale &by) {
    if (x != x || x < by.low) return x < by.low ? 0.0 : x;
    double y = x < by.high ? exp2(x * (by.scale / 32.0)) : INF;
    return y < 0x1p100 ? y : 0x1p100;
}
