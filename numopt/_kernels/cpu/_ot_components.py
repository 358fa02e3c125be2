"""Groups of columns that no strong entry of the plan joins: what a coarse correction must tell apart.

Parts of a plan that are joined by small entries alone have potentials that are settled but for a shift each. On these
shifts conjugate gradients are slowest; groups that respect the parts span them all.
"""

import numpy as np

from numopt._kernels.cpu._jit import jit

STRONG = 1e-2  # P_ij >= STRONG min(a_i, b_j) joins i and j; less, by factors of 100, while that leaves ...
PARTS = 64  # ... more parts than this


@jit
def split(group, count, weight, column, start, a, b):
    """Return the groups cut where two parts of the plan share one, and their number."""
    n, m = a.size, b.size
    parent, strong, parts, done = np.arange(n + m), STRONG, n + m, np.zeros(n, np.bool_)
    while True:
        parts -= _join(weight, column, start, a, b, strong, parent, done)
        if parts <= PARTS or strong < 1e-10:
            break
        strong *= 1e-2
    if parts == 1 or parts > PARTS:
        return group, count
    label, cut = np.full(n + m, -1, np.int64), np.empty(m, np.int32)
    place, used, labels = np.full(count * parts, -1, np.int32), 0, 0
    for j in range(m):
        r = _root(parent, n + j)
        if label[r] < 0:
            label[r] = labels
            labels += 1
        key = group[j] * parts + label[r]
        if place[key] < 0:
            place[key] = used
            used += 1
        cut[j] = place[key]
    return cut, used


@jit
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@jit
def _join(weight, column, start, a, b, strong, parent, done):
    """Join rows and columns by their strong entries; return how many parts that makes less.

    A row is `done` when it is in one part with all its columns.
    """
    n, joined = a.size, 0
    for i in range(n):
        if done[i]:
            continue
        r, floor, apart = _root(parent, i), strong * a[i], 0
        row, places = weight[start[i] : start[i + 1]], column[start[i] : start[i + 1]]
        for t in range(row.size):
            j = places[t]
            if parent[n + j] != r:
                s = _root(parent, n + j)
                if s != r:
                    if row[t] >= min(floor, strong * b[j]):
                        joined += 1
                        parent[max(r, s)] = min(r, s)
                        r = min(r, s)
                    else:
                        apart += 1
        done[i] = apart == 0
    return joined
