"""One row of a triangle times a vector, in the two layouts."""

import numpy as np

from numopt._kernels.cpu._jit import jit

SUM = {"contract", "reassoc", "nsz"}


@jit(fastmath=SUM)
def times(width, triangle, i, x):
    """Return row i of the triangle times x; `width` is a tuple, so that loops over it are unrolled.

    Unsigned indices spare a test for negative ones at each access.
    """
    total = 0.0
    if len(width) == 0:
        for k in range(triangle.starts[i], triangle.starts[i + np.uint64(1)]):
            total += triangle.values[k] * x[triangle.columns[k]]
    else:
        first = i * np.uint64(len(width))
        for lane in range(len(width)):
            k = first + np.uint64(lane)
            total += triangle.values[k] * x[triangle.columns[k]]
    return total


@jit(fastmath=SUM)
def sweep(width, lower, upper, d, b, x, low, omega, first, last):
    """Sweep forward over some rows; return the part of the squared residual that they had before."""
    square = 0.0
    for k in range(first, last):
        i = np.uint64(k)
        rest = b[i] - x[i] - times(width, upper, i, x)
        new = times(width, lower, i, x)
        r = d[i] * (rest - low[i])
        square += r * r
        low[i] = new
        x[i] += omega * (rest - new)
    return square


@jit(fastmath=SUM)
def times_two(width, triangle, i, x, y):
    """Return row i of the triangle times x and times y."""
    one = two = 0.0
    if len(width) == 0:
        for k in range(triangle.starts[i], triangle.starts[i + np.uint64(1)]):
            j, value = triangle.columns[k], triangle.values[k]
            one += value * x[j]
            two += value * y[j]
    else:
        first = i * np.uint64(len(width))
        for lane in range(len(width)):
            j, value = triangle.columns[first + np.uint64(lane)], triangle.values[first + np.uint64(lane)]
            one += value * x[j]
            two += value * y[j]
    return one, two
