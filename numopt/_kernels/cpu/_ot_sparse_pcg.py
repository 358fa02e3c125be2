"""Conjugate gradients with the Laplacian of a sum of complete graphs, one for each column of a sparse plan."""

import numpy as np

from numopt._kernels.cpu._jit import jit

_SUM = {"contract", "reassoc", "nsz"}


@jit(fastmath=_SUM)
def pcg(start, rows, p, rhs, least, shift, rtol, max_cg):
    """Return (d, steps), d on the rows: see `direction` in the portable room."""
    n, m = rhs.size, start.size - 1
    begin, active, size = np.zeros(m + 1, np.int64), np.empty(rows.size, np.int32), 0
    degree, jacobi = np.full(n, shift), np.full(n, shift)
    for j in range(m):
        total = 0.0
        for q in range(start[j], start[j + 1]):
            if p[q] > 0:
                active[size] = rows[q]
                size += 1
                total += p[q]
        if total <= least:
            size = begin[j]
        begin[j + 1] = size
        for q in range(begin[j], size):
            degree[active[q]] += 1.0
            jacobi[active[q]] += 1.0 - 1.0 / (size - begin[j])
    for i in range(n):
        if degree[i] == shift:
            degree[i], jacobi[i] = 1.0, 1.0
    d, r, z, y = np.zeros(n), rhs.copy(), rhs / jacobi, np.empty(n)
    direction, rz = z.copy(), 0.0
    for i in range(n):
        rz += r[i] * z[i]
    goal, steps = rz * rtol**2, 0
    while steps < max_cg and rz > goal:
        for i in range(n):
            y[i] = degree[i] * direction[i]
        for j in range(m):
            total = 0.0
            for q in range(begin[j], begin[j + 1]):
                total += direction[active[q]]
            total /= max(1, begin[j + 1] - begin[j])
            for q in range(begin[j], begin[j + 1]):
                y[active[q]] -= total
        curvature = 0.0
        for i in range(n):
            curvature += direction[i] * y[i]
        if not curvature > 0:
            break
        step, old, rz = rz / curvature, rz, 0.0
        for i in range(n):
            d[i] += step * direction[i]
            r[i] -= step * y[i]
            z[i] = r[i] / jacobi[i]
            rz += r[i] * z[i]
        for i in range(n):
            direction[i] = z[i] + rz / old * direction[i]
        steps += 1
    return d, steps
