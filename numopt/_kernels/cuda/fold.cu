// out (starts, fewer, width): sums of `every` rows after each other of parts (starts, rows, width), in their order.
extern "C" __global__ void fold(const double *parts, Int rows, Int width, Int every, Int fewer, double *out) {
    Int e = (Int)blockIdx.x * blockDim.x + threadIdx.x, start = blockIdx.y;
    if (e >= fewer * width) return;
    Int first = e / width * every, after = first + every < rows ? first + every : rows;
    double total = 0.0;
    for (Int row = first; row < after; row++) total += parts[(start * rows + row) * width + e % width];
    out[start * fewer * width + e] = total;
}
