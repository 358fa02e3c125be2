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
    parent, strong, parts, places = np.arange(n + m), STRONG, n + m, np.empty(m + 1, np.uint32)
    while True:
        parts -= _join(weight, column, start, a, b, strong, parent, places)
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
def _join(weight, column, start, a, b, strong, parent, places):
    """Join rows and columns by their strong entries; return how many parts that makes less.

    The strong entries of a row are found without branches, of which every other would be foretold wrongly.
    """
    n, joined = a.size, 0
    for i in range(n):
        row, columns = weight[start[i] : start[i + 1]], column[start[i] : start[i + 1]]
        floor, count = strong * a[i], 0
        for t in range(row.size):
            places[count] = columns[t]
            count += np.int64(row[t] >= min(floor, strong * b[columns[t]]))
        r = _root(parent, i)
        for j in places[:count]:
            if parent[n + j] != r:
                s = _root(parent, n + j)
                if s != r:
                    joined += 1
                    parent[max(r, s)] = min(r, s)
                    r = min(r, s)
    return joined
