// Steps of the primal-dual hybrid gradient method with a sparse matrix on boxes, all of a call in one launch.
//
// Every block of the grid is resident, and they wait for one another twice in a step: what follows from the product of
// a row or column needs nothing from the others.

#include "together.cuh"

// A point and its products, one after the other.
struct Point {
    double *x, *y, *Ax, *ATy;

    __device__ Point(double *room, Int n, Int m) : x(room), y(x + n), Ax(y + m), ATy(Ax + m) {}
};

// Calls then(i, a_i.v) for each row i of a matrix. A power of two of lanes adds up a row.
template <class Then>
__device__ inline void each_row(const double *values, const INDEX *index, const INDPTR *start, Int rows, Int lanes,
                                const double *v, Then then) {
    const Int thread = blockIdx.x * (Int)blockDim.x + threadIdx.x, apart = gridDim.x * (Int)blockDim.x / lanes;
    const Int lane = thread % lanes;
    Int i = thread / lanes;
    for (Int first = thread / 32 * 32 / lanes; first < rows; first += apart, i += apart) {  // that of the warp
        double total = 0.0;
        const Int after = i < rows ? start[i + 1] : 0;
        for (Int q = i < rows ? start[i] + lane : 0; q < after; q += lanes) total += values[q] * v[index[q]];
        for (int step = (int)lanes / 2; step > 0; step /= 2) total += __shfl_xor_sync(ALL, total, step);
        if (i < rows && lane == 0) then(i, total);
    }
}

__device__ inline double between(double lower, double z, double upper) {
    z = z < lower ? lower : z;
    return z > upper ? upper : z;
}

// `last` gets the point before the last step where there is more than one, `hat` what that step found, `out` the point
// after it.
extern "C" __global__ void __launch_bounds__(1024) steps(
    const double *values, const INDEX *index, const INDPTR *start, const double *turned_values,
    const INDEX *turned_index, const INDPTR *turned_start, Int lanes, Int turned_lanes, const double *c,
    const double *b, const double *lower_x, const double *upper_x, const double *lower_y, const double *upper_y,
    const double *x0, const double *y0, const double *Ax0, const double *ATy0, const double *x, const double *y,
    const double *Ax, const double *ATy, Int n, Int m, Int k, double tau, double sigma, Int steps, Int *arrived,
    double *last, double *hat, double *out) {
    const Point room(last, n, m), found(hat, n, m), end(out, n, m);
    const Int first = blockIdx.x * (Int)blockDim.x + threadIdx.x, apart = gridDim.x * (Int)blockDim.x;
    auto in_x = [&](Int j, double x, double ATy) {
        return between(lower_x[j], x - tau * (c[j] + ATy), upper_x[j]);
    };
    Int turn = 0;
    for (Int j = first; j < n; j += apart) found.x[j] = in_x(j, x[j], ATy[j]);
    for (Int s = 0; s < steps; s++) {
        const double a = (k + s + 1.0) / (k + s + 2.0);
        auto mean = [a](double v, double hat, double anchor) { return a * (2.0 * hat - v) + (1.0 - a) * anchor; };
        const bool ends = s == steps - 1;
        const Point &next = ends ? end : room;
        meet(arrived, turn);
        each_row(values, index, start, m, lanes, found.x, [&](Int i, double Axh) {
            const double was = y[i], product = Ax[i];
            const double yh = between(lower_y[i], was + sigma * (2.0 * Axh - product - b[i]), upper_y[i]);
            found.y[i] = yh;
            found.Ax[i] = Axh;
            next.y[i] = mean(was, yh, y0[i]);
            next.Ax[i] = mean(product, Axh, Ax0[i]);
        });
        meet(arrived, turn);
        each_row(turned_values, turned_index, turned_start, n, turned_lanes, found.y, [&](Int j, double ATyh) {
            const double after = mean(x[j], found.x[j], x0[j]), product = mean(ATy[j], ATyh, ATy0[j]);
            next.x[j] = after;
            next.ATy[j] = product;
            if (ends)
                found.ATy[j] = ATyh;
            else
                found.x[j] = in_x(j, after, product);
        });
        x = room.x, y = room.y, Ax = room.Ax, ATy = room.ATy;
    }
}
