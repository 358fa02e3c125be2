// The entries of a sparse plan by columns, in each column by rows, from those by rows.
//
// Columns are taken in strips of 32, rows in slabs: where a row has entries in a strip is a word of 32 bits, `bits`, and
// `place` says how many come before them in the row; both are (strips, rows of the slab).

#define TILE 32  // rows, and strips, that a block turns at once
#define WARPS 8

// A block for each tile of rows, a warp for one row after the other, a lane for one strip.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
    marks(const int *index, const Int *start, Int low, Int rows, Int m, unsigned *bits, int *place) {
    __shared__ unsigned word[TILE][TILE + 1];
    __shared__ int before[TILE][TILE + 1];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    Int strips = (m + 31) / 32, first = blockIdx.x * TILE;
    for (Int strip = 0; strip < strips; strip += TILE) {
        for (int k = warp; k < TILE; k += WARPS) {
            Int i = first + k, left = 32 * (strip + lane);
            if (i >= rows) continue;
            const int *own = index + start[low + i];
            int from = 0, to = (int)(start[low + i + 1] - start[low + i]), end = to;
            while (from < to) {  // the first entry from this strip on
                int middle = (from + to) / 2;
                if (own[middle] < left)
                    from = middle + 1;
                else
                    to = middle;
            }
            unsigned found = 0;
            for (int q = from; q < end && own[q] < left + 32; q++) found |= 1u << (own[q] - (int)left);
            word[k][lane] = found;
            before[k][lane] = from;
        }
        __syncthreads();
        for (int k = warp; k < TILE; k += WARPS)
            if (strip + k < strips && first + lane < rows) {
                bits[(strip + k) * rows + first + lane] = word[lane][k];
                place[(strip + k) * rows + first + lane] = before[lane][k];
            }
        __syncthreads();
    }
}

// From 32 words of a lane each, those of the transposed matrix of bits.
__device__ inline unsigned turned(unsigned word) {
    unsigned own = 0;
#pragma unroll
    for (int b = 0; b < 32; b++) {
        unsigned across = __ballot_sync(ALL, word >> b & 1);
        if (threadIdx.x % 32 == b) own = across;
    }
    return own;
}

// The entries of the column of each lane in all rows, and in those before the rows of this warp.
__device__ inline int counted(const unsigned *bits, Int rows, Int low, Int high, int &before) {
    __shared__ int room[WARPS][32];
    int lane = threadIdx.x % 32, own = 0, all = 0;
    for (Int i = low; i < high; i += 32) own += __popc(turned(i + lane < high ? bits[i + lane] : 0u));
    room[threadIdx.x / 32][lane] = own;
    __syncthreads();
    before = 0;
    for (int k = 0; k < WARPS; k++) {
        if (k < (int)threadIdx.x / 32) before += room[k][lane];
        all += room[k][lane];
    }
    return all;
}

#define ROWS_OF_A_WARP                                                                                         \
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, before;                                              \
    Int share = (rows + 32 * WARPS - 1) / (32 * WARPS) * 32, low = warp * share, j = 32 * blockIdx.x + lane;   \
    Int high = low + share < rows ? low + share : rows;                                                        \
    bits += blockIdx.x * rows;                                                                                 \
    int all = counted(bits, rows, low, high, before);

// Adds the number of entries of a column in these rows: a block for each strip.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
    strip_counts(const unsigned *bits, Int rows, Int m, Int *counts) {
    ROWS_OF_A_WARP
    if (warp == 0 && j < m) counts[j] += all;
}

// Writes the entries of these rows to where the next ones of their columns belong.
extern "C" __global__ void __launch_bounds__(32 * WARPS)
    strip_turned(const unsigned *bits, const int *place, const Int *start, Int past, Int rows, Int m, Int *next,
                 Int *order, int *row) {
    ROWS_OF_A_WARP
    Int to = j < m ? next[j] + before : 0;
    __syncthreads();
    if (warp == 0 && j < m) next[j] += all;
    place += blockIdx.x * rows;
    for (Int i = low; i < high; i += 32) {
        bool there = i + lane < high;
        unsigned word = there ? bits[i + lane] : 0u, across = turned(word);
        Int from = there ? start[past + i + lane] + place[i + lane] : 0;
        while (__ballot_sync(ALL, word != 0)) {
            int b = word ? __ffs(word) - 1 : 0;
            Int at = __shfl_sync(ALL, to, b);
            unsigned others = __shfl_sync(ALL, across, b);
            if (word) {
                at += __popc(others & ((1u << lane) - 1));
                order[at] = from++;
                row[at] = (int)(past + i + lane);
                word &= word - 1;
            }
        }
        to += __popc(across);
    }
}
