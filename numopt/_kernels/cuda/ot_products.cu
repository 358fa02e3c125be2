// Passes over squared distances of points with more coordinates than a thread holds, exponentials in float32.
//
// C_ij = x_i + y_j - 2 <x_i, y_j> of centred points. Products are in float64 on the tensor cores, which take no longer
// than products in float32 without them, so that differences of large numbers lose nothing. A warp keeps 16 rows of X
// in registers and meets the columns in tiles, which its block shares.
//
// An exponent t is off by 2^-24 |t| when it becomes a float32. Powers are positive, and at most STRIP / 4 of a row or
// 64 of a column are added up in float32: a sum is off by at most 1e-5 of itself, and by 1e-7 as a rule.
//
// D is the number of coordinates, rounded up to a multiple of 16, and REAL the dtype of weights and potentials.

#define TALL 128   // rows of a block, 16 of each warp
#define TILE 64    // columns
#define STRIP 512  // columns of a block, and rows of one that adds up columns
#define GROUP 32   // of which a warp forms the products at once
#define STAGES 2   // tiles that are there or on their way
#define PITCH (D + 2)  // of a tile's rows, so that no two lanes of eight read the same bank

struct __align__(16) Couple {
    double even, odd;
};

#ifdef __CUDACC__  // on the host there is a stand-in for each
__device__ inline float power(float x) {  // 2^x, to 2 units in the last place; below 2^-126 it is zero
    asm("ex2.approx.ftz.f32 %0, %0;" : "+f"(x));
    return x;
}

// c += a b for a of 16 x 16, b of 16 x 8 and c of 16 x 8. Lane 4 r + e has a[r][4 e + i] in a[2 i], a[r + 8][4 e + i]
// in a[2 i + 1], b[4 e + i][r] in b[i], and c[r][2 e + i] in c[i], c[r + 8][2 e + i] in c[2 + i]: the order along which
// products are added up is not that of the instruction, but the same for a and b.
__device__ inline void multiply(double *c, const double *a, const double *b) {
#if __CUDA_ARCH__ >= 900
    asm("mma.sync.aligned.m16n8k16.row.col.f64.f64.f64.f64 {%0, %1, %2, %3}, {%4, %5, %6, %7, %8, %9, %10, %11}, "
        "{%12, %13, %14, %15}, {%0, %1, %2, %3};"
        : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
        : "d"(a[0]), "d"(a[1]), "d"(a[2]), "d"(a[3]), "d"(a[4]), "d"(a[5]), "d"(a[6]), "d"(a[7]), "d"(b[0]), "d"(b[1]),
          "d"(b[2]), "d"(b[3]));
#else
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int q = 0; q < 2; q++)
            asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
                : "+d"(c[2 * q]), "+d"(c[2 * q + 1])
                : "d"(a[2 * i + q]), "d"(b[i]));
#endif
}
#else
inline float power(float x) { return x < -126.0f ? 0.0f : exp2f(x); }
#endif

// S_ij = 2^(u_i + v_j + scale <x_i, y_j>), which is (rows, stride), and for each strip of columns the sums of its rows
// and their largest exponents, which are (strips, rows). Both sides have whole tiles, filled up with zeros, and u or v
// is -inf there. With `only`, rows of tiles for which that is zero are left as they are.
extern "C" __global__ void __launch_bounds__(256, RESIDENT)
    powers_of_products(const double *X, const double *Y, const double *u, const double *v, double scale, Int rows,
                       Int stride, const int *only, float *S, double *sums, float *tops) {
    if (only && !only[blockIdx.y]) return;
    double *level = shared_room(), *tiles = level + STRIP;
    const int lane = threadIdx.x % 32, r = lane / 4, e = lane % 4;
    const Int low = blockIdx.x * (Int)STRIP, i = blockIdx.y * (Int)TALL + threadIdx.x / 32 * 16 + r;
    const int count = (int)((stride - low < STRIP ? stride - low : STRIP) / TILE);

    const Couple *next = (const Couple *)(Y + low * PITCH) + threadIdx.x;
    auto fetch = [&](int tile) {
        Couple *to = (Couple *)(tiles + tile % STAGES * TILE * PITCH) + threadIdx.x;
        if (tile < count)
#pragma unroll
            for (int t = 0; t < TILE * PITCH / 2; t += 256)
                if (t + 256 <= TILE * PITCH / 2 || t + threadIdx.x < TILE * PITCH / 2) send(to + t, next + t);
        next += TILE * PITCH / 2;
        sent();
    };
    for (int tile = 0; tile < STAGES - 1; tile++) fetch(tile);
    for (int j = threadIdx.x; j < count * TILE; j += 256) level[j] = v[low + j];
    double x[D / 16][8], own[2];
#pragma unroll
    for (int q = 0; q < 2; q++) {
        own[q] = u[i + 8 * q];
#pragma unroll
        for (int s = 0; s < D / 16; s++)
#pragma unroll
            for (int k = 0; k < 4; k++) x[s][2 * k + q] = scale * X[(i + 8 * q) * D + 16 * s + 4 * e + k];
    }
    float sum[2] = {}, top[2] = {-(float)INF, -(float)INF};
    float *at = S + i * stride + low + 4 * e;
    for (int tile = 0; tile < count; tile++) {
        arrived<STAGES - 2>();
        __syncthreads();  // all have this tile, and none needs the one before it
        fetch(tile + STAGES - 1);
        const double *Z = tiles + tile % STAGES * TILE * PITCH + 4 * e;
#pragma unroll 1
        for (int g = 0; g < TILE; g += GROUP) {
            double c[GROUP / 8][4];
#pragma unroll
            for (int h = 0; h < GROUP / 8; h++) {  // lane 4 r + e has columns 4 e to 4 e + 3 of sixteen
                const Couple here = *(const Couple *)(level + tile * TILE + g + h / 2 * 16 + 4 * e + h % 2 * 2);
#pragma unroll
                for (int q = 0; q < 2; q++) c[h][2 * q] = own[q] + here.even, c[h][2 * q + 1] = own[q] + here.odd;
            }
#pragma unroll
            for (int s = 0; s < D / 16; s++)
#pragma unroll
                for (int h = 0; h < GROUP / 8; h++) {
                    const double *z = Z + (g + h / 2 * 16 + r / 2 * 4 + h % 2 * 2 + r % 2) * PITCH + 16 * s;
                    const Couple first = *(const Couple *)z, second = *(const Couple *)(z + 2);
                    const double y[4] = {first.even, first.odd, second.even, second.odd};
                    multiply(c[h], x[s], y);
                }
#pragma unroll
            for (int h = 0; h < GROUP / 8; h += 2)
#pragma unroll
                for (int q = 0; q < 2; q++) {
                    float t[4] = {(float)c[h][2 * q], (float)c[h][2 * q + 1], (float)c[h + 1][2 * q],
                                  (float)c[h + 1][2 * q + 1]};
                    float most = fmaxf(fmaxf(t[0], t[1]), fmaxf(t[2], t[3]));
                    top[q] = fmaxf(top[q], most);
#pragma unroll
                    for (int k = 0; k < 4; k++) t[k] = power(t[k]);
                    sum[q] += (t[0] + t[1]) + (t[2] + t[3]);
                    __stcs((float4 *)(at + 8 * q * stride + g + 8 * h), float4{t[0], t[1], t[2], t[3]});
                }
        }
        at += TILE;
    }
#pragma unroll
    for (int q = 0; q < 2; q++) {
        double total = sum[q];
        for (int step = 1; step < 4; step *= 2) {
            total += __shfl_xor_sync(ALL, total, step);
            top[q] = fmaxf(top[q], __shfl_xor_sync(ALL, top[q], step));
        }
        if (e == 0) {
            sums[blockIdx.x * rows + i + 8 * q] = total;
            tops[blockIdx.x * rows + i + 8 * q] = top[q];
        }
    }
}

// u and v of all rows and columns, up to whole tiles. shift_i is what makes the sum of a row about 1 if f is a good
// guess: u_i + v_j + scale <x_i, y_j> is the binary logarithm of exp((shift_i + g_j - C_ij) / reg).
extern "C" __global__ void levels(Int n, Int m, Int tall, Int wide, const REAL *a, const REAL *f, const REAL *g,
                                  const double *x, const double *y, double reg, double *shift, double *u, double *v) {
    Int k = blockIdx.x * (Int)blockDim.x + threadIdx.x;
    const double scale = LOG2E / reg;
    if (k < tall) {
        double guess = k < n ? f[k] - exponent(a[k]) / scale : 0.0;
        guess = guess * scale > -0x1p60 && guess * scale < 0x1p60 ? guess : 0.0;
        if (k < n) shift[k] = guess;
        u[k] = k < n ? (guess - x[k]) * scale : -INF;
    } else if (k - tall < wide) {
        k -= tall;
        v[k] = k < m ? (g[k] - y[k]) * scale : -INF;
    }
}

// The half step of the rows of a block, and what their powers weigh in the sums of columns. A row whose sum cannot be
// trusted is shifted so that its largest term becomes 1, unless that was done before; `bad` says which blocks have one.
extern "C" __global__ void __launch_bounds__(TALL)
    rows_of_powers(Int n, Int rows, Int strips, Int again, const REAL *a, double reg, const double *sums,
                   const float *tops, double *shift, double *u, int *bad, float *weights, REAL *f) {
    __shared__ double room[32];
    Int i = blockIdx.x * (Int)TALL + threadIdx.x;
    if (again && !bad[blockIdx.x]) return;
    double sum = 0.0;
    float top = -(float)INF;
#pragma unroll 8
    for (Int k = 0; k < strips; k++) {
        sum += sums[k * rows + i];
        top = fmaxf(top, tops[k * rows + i]);
    }
    bool wrong = i < n && !again && !(sum >= LEAST && sum <= MOST) && isfinite(top);
    if (wrong) {
        shift[i] -= top * (reg / LOG2E);
        u[i] -= top;
    }
    double any = block_sum(wrong, room);
    if (threadIdx.x == 0) bad[blockIdx.x] = any > 0.0;
    weights[i] = i >= n || sum == 0.0 ? 0.0f : (float)(a[i] / sum);
    if (i < n) f[i] = (REAL)(sum == 0.0 ? INF : shift[i] + reg * log(a[i] / sum));
}

// Sums of the columns over rows of a strip, weighted; parts is (strips, m). P, if not null, gets the weighted powers.
extern "C" __global__ void __launch_bounds__(256)
    columns_of_powers(const float *S, const float *weights, Int n, Int m, Int stride, double *parts, float *P) {
    const Int low = blockIdx.y * (Int)STRIP, j = (blockIdx.x * (Int)256 + threadIdx.x) * 4;
    const int count = (int)(n - low < STRIP ? n - low : STRIP), after = (int)(m - j < 4 ? m - j : 4);
    if (j >= m) return;
    const float4 *from = (const float4 *)(S + low * stride + j);
    double total[4] = {};
    for (int begin = 0; begin < count; begin += 64) {
        float some[4] = {};
        const int end = begin + 64 < count ? begin + 64 : count;
#pragma unroll 8
        for (int i = begin; i < end; i++) {
            const float4 p = __ldcs(from + i * (stride / 4));
            const float w = weights[low + i], q[4] = {p.x * w, p.y * w, p.z * w, p.w * w};
#pragma unroll
            for (int k = 0; k < 4; k++) {
                some[k] += q[k];
                if (P && k < after) P[(low + i) * m + j + k] = q[k];
            }
        }
#pragma unroll
        for (int k = 0; k < 4; k++) total[k] += some[k];
    }
#pragma unroll
    for (int k = 0; k < 4; k++)
        if (k < after) parts[blockIdx.y * m + j + k] = total[k];
}

extern "C" __global__ void columns(const double *parts, Int strips, Int m, REAL *c) {
    Int j = blockIdx.x * (Int)blockDim.x + threadIdx.x;
    if (j >= m) return;
    double total = 0.0;
#pragma unroll 8
    for (Int k = 0; k < strips; k++) total += parts[k * m + j];
    c[j] = (REAL)total;
}
