// Passes over the symmetric matrix of the Douglas-Rachford splitting, and over Z = V diag(weights) V' + 1/n, which is
// never stored. REAL is the dtype. Matrices are read and written 16 bytes at a time where their rows allow it.

#define VEC (16 / (int)sizeof(REAL))
struct __align__(16) Pack {
    REAL at[VEC];
};

__device__ inline bool packed(const REAL *x, Int n) { return n % VEC == 0 && (size_t)x % 16 == 0; }

// Read x[at], x[at + 1], ... as far as `after`, zeros behind it; `whole` says that packs do not end there.
__device__ inline Pack pack(const REAL *x, Int at, Int after, bool whole) {
    Pack out;
    if (whole && at < after) return *(const Pack *)(x + at);
#pragma unroll
    for (int v = 0; v < VEC; v++) out.at[v] = at + v < after ? x[at + v] : (REAL)0;
    return out;
}

__device__ inline void unpack(const Pack &from, REAL *x, Int at, Int after, bool whole) {
    if (whole && at < after) __stcs((float4 *)(x + at), *(const float4 *)&from);  // it is not read again soon
    else
#pragma unroll
        for (int v = 0; v < VEC; v++)
            if (at + v < after) x[at + v] = from.at[v];
}

#define SIDE 64  // of a tile of 256 threads with 4 x 4 entries each
#define PART 32  // vectors at a time

// The place of a thread in a tile: its rows are row + at(k, 4), its columns column + at(k, 8), k < 4, so that eight
// threads beside each other write packs beside each other, and four below each other do so in the mirrored tile.
struct Place {
    int row, column;
    __device__ Place(int t) : row(t / 64 * 16 + t % 32 / 8 * VEC), column(t / 32 % 2 * 32 + t % 8 * VEC) {}
};
__device__ inline int at(int k, int lanes) { return k / VEC * lanes * VEC + k % VEC; }

// The tile on or above the diagonal that a block computes, of a grid (tiles + 1, (tiles + 1) / 2): the rows y and
// tiles - 1 - y of tiles share a row of blocks. False for a block that has none.
__device__ inline bool upper(Int tiles, Int &I, Int &J) {
    Int x = blockIdx.x, y = blockIdx.y;
    bool first = x < tiles - y;
    I = first ? y : tiles - 1 - y;
    J = first ? x + y : x - 1;
    return first || I != y;
}

// z = entries of V diag(weights) V' in the tile at (i0, j0), VT = V'.
__device__ inline void product(const REAL *VT, const REAL *weights, Int n, Int rank, Int i0, Int j0, Place me,
                               REAL z[4][4]) {
    __shared__ __align__(16) REAL left[PART][SIDE], right[PART][SIDE];
    const bool whole = packed(VT, n);
#pragma unroll
    for (int k = 0; k < 4; k++)
#pragma unroll
        for (int c = 0; c < 4; c++) z[k][c] = 0;
    for (Int low = 0; low < rank; low += PART) {
        const int count = rank - low < PART ? (int)(rank - low) : PART;
        __syncthreads();
        for (int e = threadIdx.x; e < count * (SIDE / VEC); e += blockDim.x) {
            const int q = e / (SIDE / VEC), line = e % (SIDE / VEC) * VEC;
            const REAL *v = VT + (low + q) * n, weight = weights[low + q];
            Pack weighted = pack(v, i0 + line, n, whole);
#pragma unroll
            for (int u = 0; u < VEC; u++) weighted.at[u] *= weight;
            *(Pack *)&left[q][line] = weighted;
            *(Pack *)&right[q][line] = pack(v, j0 + line, n, whole);
        }
        __syncthreads();
#pragma unroll 4
        for (int q = 0; q < count; q++) {
            Pack rows[4 / VEC], columns[4 / VEC];
#pragma unroll
            for (int g = 0; g < 4 / VEC; g++) {
                rows[g] = *(const Pack *)&left[q][me.row + at(g * VEC, 4)];
                columns[g] = *(const Pack *)&right[q][me.column + at(g * VEC, 8)];
            }
#pragma unroll
            for (int k = 0; k < 4; k++)
#pragma unroll
                for (int c = 0; c < 4; c++) z[k][c] += rows[k / VEC].at[k % VEC] * columns[c / VEC].at[c % VEC];
        }
    }
}

__device__ inline REAL positive(REAL x) { return x < 0 ? (REAL)0 : x; }  // NaN stays

// Overwrite T by T + relaxation (Z - max(T, 0)); what is read are the tiles on and above the diagonal. parts[k][block],
// k < 4, are the sums of squares of its positive and of its negative part, and of how far these moved.
// Squares do not cancel: in REAL, those of a warp are off by (16 + 5) roundings at most. Beyond, sums are in double.
extern "C" __global__ void __launch_bounds__(256) split_step(REAL *T, const REAL *VT, const REAL *weights, Int n,
                                                             Int rank, double relaxation, double *parts) {
    __shared__ double warps[8][4];
    Int I, J;
    if (!upper((n + SIDE - 1) / SIDE, I, J)) {
        if (threadIdx.x < 4) parts[(threadIdx.x * (Int)gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = 0.0;
        return;
    }
    const Place me(threadIdx.x);
    const Int i0 = I * SIDE, j0 = J * SIDE;
    const bool whole = packed(T, n);
    Pack t[4][4 / VEC];
    REAL z[4][4], sums[4] = {0, 0, 0, 0};
    product(VT, weights, n, rank, i0, j0, me, z);
#pragma unroll
    for (int k = 0; k < 4; k++) {
        Int i = i0 + me.row + at(k, 4);
#pragma unroll
        for (int g = 0; g < 4 / VEC; g++)
            t[k][g] = pack(T + i * n, j0 + me.column + at(g * VEC, 8), i < n ? n : 0, whole);
    }
    const REAL relax = (REAL)relaxation, mean = (REAL)(1.0 / n);
#pragma unroll
    for (int k = 0; k < 4; k++)
#pragma unroll
        for (int c = 0; c < 4; c++) {
            REAL old = t[k][c / VEC].at[c % VEC], above = positive(old);
            REAL moved = old + relax * (z[k][c] + mean - above), kept = positive(moved);
            t[k][c / VEC].at[c % VEC] = moved;
            if (i0 + me.row + at(k, 4) < n && j0 + me.column + at(c, 8) < n) {
                REAL up = kept - above, down = (moved - kept) - (old - above);
                sums[0] += kept * kept;
                sums[1] += (moved - kept) * (moved - kept);
                sums[2] += up * up;
                sums[3] += down * down;
            }
        }
#pragma unroll
    for (int k = 0; k < 4; k++) {
        Int i = i0 + me.row + at(k, 4);
#pragma unroll
        for (int g = 0; g < 4 / VEC; g++)
            unpack(t[k][g], T + i * n, j0 + me.column + at(g * VEC, 8), i < n ? n : 0, whole);
    }
    if (I != J)
#pragma unroll
        for (int c = 0; c < 4; c++) {
            Int j = j0 + me.column + at(c, 8);
#pragma unroll
            for (int g = 0; g < 4 / VEC; g++) {
                Pack turned;
#pragma unroll
                for (int v = 0; v < VEC; v++) turned.at[v] = t[g * VEC + v][c / VEC].at[c % VEC];
                unpack(turned, T + j * n, i0 + me.row + at(g * VEC, 4), j < n ? n : 0, whole);
            }
        }
#pragma unroll
    for (int s = 0; s < 4; s++)
        for (int step = 16; step > 0; step /= 2) sums[s] += __shfl_down_sync(ALL, sums[s], step);
    if (threadIdx.x % 32 == 0)
        for (int s = 0; s < 4; s++) warps[threadIdx.x / 32][s] = sums[s];
    __syncthreads();
    if (threadIdx.x < 4) {
        double total = 0.0;
        for (int w = 0; w < 8; w++) total += warps[w][threadIdx.x];
        parts[(threadIdx.x * (Int)gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = I == J ? total : 2.0 * total;
    }
}

// parts[0][block], parts[1][block]: the sum of squares of the negative entries of Z, and the smallest entry.
extern "C" __global__ void __launch_bounds__(256) below_zero(const REAL *VT, const REAL *weights, Int n, Int rank,
                                                             double *parts) {
    __shared__ double room[32], minima[8];
    Int I, J, here = (Int)blockIdx.y * gridDim.x + blockIdx.x, blocks = (Int)gridDim.x * gridDim.y;
    if (!upper((n + SIDE - 1) / SIDE, I, J)) {
        if (threadIdx.x == 0) parts[here] = 0.0, parts[blocks + here] = INF;
        return;
    }
    const Place me(threadIdx.x);
    REAL z[4][4];
    product(VT, weights, n, rank, I * SIDE, J * SIDE, me, z);
    double square = 0.0, least = INF;
#pragma unroll
    for (int k = 0; k < 4; k++)
#pragma unroll
        for (int c = 0; c < 4; c++) {
            if (I * SIDE + me.row + at(k, 4) >= n || J * SIDE + me.column + at(c, 8) >= n) continue;
            double entry = z[k][c] + (REAL)(1.0 / n);
            if (!(entry >= 0.0)) square += entry * entry;
            if (!(entry >= least)) least = entry;  // NaN is the least
        }
    for (int step = 16; step > 0; step /= 2) {
        double other = __shfl_down_sync(ALL, least, step);
        if (!(other >= least) && !(least != least)) least = other;
    }
    if (threadIdx.x % 32 == 0) minima[threadIdx.x / 32] = least;
    square = block_sum(square, room);
    if (threadIdx.x == 0) {
        for (int w = 1; w < 8; w++)
            if (!(minima[w] >= least) && !(least != least)) least = minima[w];
        parts[here] = I == J ? square : 2.0 * square;
        parts[blocks + here] = least;
    }
}
