// Newton's system of transport by Jacobi-preconditioned conjugate gradients, three launches a step: rows, columns, vectors.
//
// The matrix is diag(P^T 1) - P^T diag(scale) P + regularization diag(b), scale = 1 / P 1. The direction is z + beta times
// the one before, and so is u = scale (P direction): rows gather z alone. Scalars stay on the device, in one box for the even
// and one for the odd steps; a step that comes after the last one that was wanted does nothing.

#define PARTS 32  // blocks of the launch that moves the vectors, at most: its sums are added up by one warp

enum { RZ, GOAL, BETA, RUNNING, MOVING, STEPS, BOX };

__device__ inline double inverse(double x) { return x == 0.0 ? 0.0 : 1.0 / x; }

// Opens a step in every warp: whether it is one to take, and beta. The first has no box before it.
__device__ inline bool opened(const double *sums, Int parts, const double *before, double rtol, double *box,
                              double &beta) {
    int lane = threadIdx.x % 32;
    double rz = warp_sum(lane < parts ? sums[lane] : 0.0), norm = warp_sum(lane < parts ? sums[PARTS + lane] : 0.0);
    bool running = !before || (before[MOVING] > 0.0 && norm > before[GOAL]);
    beta = running && before ? rz / before[RZ] : 0.0;
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        box[RZ] = rz;
        box[GOAL] = before ? before[GOAL] : rtol * norm;
        box[BETA] = beta;
        box[RUNNING] = running;
        box[STEPS] = before ? before[STEPS] + before[MOVING] : 0.0;
    }
    return running;
}
