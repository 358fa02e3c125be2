// |T| Y and max(-T, 0) Y for the symmetric matrix T of the splitting; REAL is the dtype.
//
// A block of 128 threads computes LINES rows and COLUMNS columns of the product, of one slice of the inner index. As T is
// symmetric, the rows of T that belong to the slice are read, and no transposition is needed.
// A slice is added up in REAL: its sum is off by a rounding a term, as each of its terms is. Slices are added in double.

#define VEC (16 / (int)sizeof(REAL))
#define LINES 128
#define ROWS (LINES / 16)         // of a thread
#define COLUMNS (8 * WIDE)        // WIDE: columns of a thread
#define STEP (128 * VEC / LINES)  // rows of T that the threads bring at once
#define DEPTH (4 * STEP)          // of what is in shared memory at a time
#define SHARE (DEPTH * COLUMNS / 128)

struct __align__(16) Pack {
    REAL at[VEC];
};

template <bool NEGATIVE> __device__ inline REAL part(REAL x) { return x < 0 ? -x : NEGATIVE && x >= 0 ? (REAL)0 : x; }

// parts[slice][row][column]
template <bool NEGATIVE>
__device__ inline void times(const REAL *T, const REAL *Y, Int n, Int m, Int slice, REAL *parts) {
    __shared__ __align__(16) REAL left[2][DEPTH][LINES], right[2][DEPTH][COLUMNS];
    const int t = threadIdx.x, row = t / 8 * VEC, column = t % 8 * VEC;
    const int line = t * VEC % LINES, depth = t * VEC / LINES;  // what this thread brings
    const Int across = (m + COLUMNS - 1) / COLUMNS;
    const Int i0 = blockIdx.x / across * LINES, c0 = blockIdx.x % across * COLUMNS, first = blockIdx.y * slice;
    const Int after = first + slice < n ? first + slice : n;
    const bool whole = n % VEC == 0 && (size_t)T % 16 == 0, inside = i0 + line < n;
    Pack coming[4];
    REAL beside[SHARE], sums[ROWS][WIDE] = {};
    auto fetch = [&](Int low) {
#pragma unroll
        for (int s = 0; s < 4; s++) {
            Int k = low + depth + s * STEP;
            const REAL *from = T + k * n + i0 + line;
            if (whole && inside && k < after) coming[s] = *(const Pack *)from;
            else
#pragma unroll
                for (int v = 0; v < VEC; v++) coming[s].at[v] = k < after && i0 + line + v < n ? from[v] : (REAL)0;
        }
#pragma unroll
        for (int s = 0; s < SHARE; s++) {
            Int k = low + (t + s * 128) / COLUMNS, c = c0 + (t + s * 128) % COLUMNS;
            beside[s] = k < after && c < m ? Y[k * m + c] : (REAL)0;
        }
    };
    fetch(first);
    int stage = 0;
    for (Int low = first; low < after; low += DEPTH, stage = 1 - stage) {
#pragma unroll
        for (int s = 0; s < 4; s++) {
#pragma unroll
            for (int v = 0; v < VEC; v++) coming[s].at[v] = part<NEGATIVE>(coming[s].at[v]);
            *(Pack *)&left[stage][depth + s * STEP][line] = coming[s];
        }
#pragma unroll
        for (int s = 0; s < SHARE; s++) right[stage][(t + s * 128) / COLUMNS][(t + s * 128) % COLUMNS] = beside[s];
        __syncthreads();
        if (low + DEPTH < after) fetch(low + DEPTH);
#pragma unroll
        for (int k = 0; k < DEPTH; k++) {
            Pack rows[ROWS / VEC], columns[WIDE / VEC];
#pragma unroll
            for (int g = 0; g < ROWS / VEC; g++) rows[g] = *(const Pack *)&left[stage][k][row + g * 16 * VEC];
#pragma unroll
            for (int g = 0; g < WIDE / VEC; g++) columns[g] = *(const Pack *)&right[stage][k][column + g * 8 * VEC];
#pragma unroll
            for (int r = 0; r < ROWS; r++)
#pragma unroll
                for (int c = 0; c < WIDE; c++)
                    sums[r][c] += rows[r / VEC].at[r % VEC] * columns[c / VEC].at[c % VEC];
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        Int i = i0 + row + r / VEC * 16 * VEC + r % VEC;
#pragma unroll
        for (int c = 0; c < WIDE; c++) {
            Int j = c0 + column + c / VEC * 8 * VEC + c % VEC;
            if (i < n && j < m) parts[(blockIdx.y * n + i) * m + j] = sums[r][c];
        }
    }
}

extern "C" __global__ void __launch_bounds__(128) abs_times(const REAL *T, const REAL *Y, Int n, Int m, Int slice,
                                                            REAL *parts) {
    times<false>(T, Y, n, m, slice, parts);
}

extern "C" __global__ void __launch_bounds__(128) negative_times(const REAL *T, const REAL *Y, Int n, Int m, Int slice,
                                                                 REAL *parts) {
    times<true>(T, Y, n, m, slice, parts);
}

extern "C" __global__ void add_slices(const REAL *parts, Int count, Int slices, REAL *out) {
    Int e = (Int)blockIdx.x * blockDim.x + threadIdx.x;
    if (e >= count) return;
    double total = 0.0;
    for (Int s = 0; s < slices; s++) total += parts[s * count + e];
    out[e] = (REAL)total;
}
