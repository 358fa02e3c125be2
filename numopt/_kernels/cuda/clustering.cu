// A step of the Douglas-Rachford splitting on tiles of its matrix; REAL is the dtype.

#define TILE 32
#define PART 16  // columns of V at a time

// fresh = T + relaxation (Z - max(T, 0)) with Z = V diag(weights) V' + 1/n; parts[block] are the sums of squares of its
// positive and of its negative part, and of how far these moved. 256 threads, four entries of a column each.
extern "C" __global__ void split_step(const REAL *T, const REAL *V, const REAL *weights, Int n, Int rank,
                                      double relaxation, REAL *fresh, double *parts) {
    __shared__ REAL rows[TILE][PART + 1], columns[TILE][PART + 1];
    __shared__ double room[32];
    const int t = threadIdx.x, column = t % TILE, row = t / TILE * 4;
    const Int i0 = blockIdx.y * (Int)TILE, j0 = blockIdx.x * (Int)TILE, j = j0 + column;
    REAL z[4] = {0, 0, 0, 0};
    for (Int low = 0; low < rank; low += PART) {
        __syncthreads();
        for (int e = t; e < TILE * PART; e += blockDim.x) {
            Int line = e / PART, q = low + e % PART;
            rows[line][e % PART] = i0 + line < n && q < rank ? V[(i0 + line) * rank + q] * weights[q] : (REAL)0;
            columns[line][e % PART] = j0 + line < n && q < rank ? V[(j0 + line) * rank + q] : (REAL)0;
        }
        __syncthreads();
#pragma unroll
        for (int q = 0; q < PART; q++)
#pragma unroll
            for (int k = 0; k < 4; k++) z[k] += rows[row + k][q] * columns[column][q];
    }
    double sums[4] = {0.0, 0.0, 0.0, 0.0};
    for (int k = 0; k < 4; k++) {
        Int i = i0 + row + k;
        if (i >= n || j >= n) continue;
        REAL old = T[i * n + j], above = old < 0 ? (REAL)0 : old;
        REAL moved = old + (REAL)relaxation * (z[k] + (REAL)(1.0 / n) - above), kept = moved < 0 ? (REAL)0 : moved;
        fresh[i * n + j] = moved;
        double up = kept - above, down = (moved - kept) - (old - above);
        sums[0] += (double)kept * kept;
        sums[1] += (double)(moved - kept) * (moved - kept);
        sums[2] += up * up;
        sums[3] += down * down;
    }
    for (int k = 0; k < 4; k++) {
        double total = block_sum(sums[k], room);
        if (t == 0) parts[(blockIdx.y * (Int)gridDim.x + blockIdx.x) * 4 + k] = total;
    }
}
