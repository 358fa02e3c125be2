"""Sums in an order that the compiler may choose, so that it vectorises them."""

from numopt._kernels.cpu._jit import jit

SUM = {"reassoc", "contract", "nsz"}


@jit(fastmath=SUM)
def dot(x, y):
    """Return the inner product of two vectors, added up in float64."""
    total = 0.0
    for i in range(x.size):
        total += x[i] * y[i]
    return total
