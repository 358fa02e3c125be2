"""Projection of one vector on a simplex, without sorting: the threshold is a root of a convex function."""

import numpy as np

from numopt._kernels.cpu._jit import jit

_SUM = {"contract", "reassoc", "nsz"}


@jit(fastmath=_SUM)
def _step(s, w, t):
    """Return Newton's step from t for sum [s - t]_+ = w, and how many entries lie above t."""
    total, inside = 0.0, 0
    for q in range(s.size):
        if s[q] > t:
            total += s[q]
            inside += 1
    return (total - w) / inside, inside


@jit(fastmath=_SUM)
def root(s, w, t):
    """Return the root of sum [s - t]_+ = w, from t at its left: the count of larger entries falls."""
    count = s.size + 1
    while True:
        new, inside = _step(s, w, t)
        if inside >= count or inside == 0:
            return t
        t, count = new, inside


@jit(fastmath=_SUM)
def column_root(s, w, excess, room):
    """Return the threshold of one column and how far the largest entry exceeds it.

    The sum is convex in t: a step from anywhere, here from the excess of another column, ends at the left
    of the root. Only the entries above that point matter.
    """
    n, top = s.size, -np.inf
    for i in range(n):
        top = max(top, s[i])
    cut = top - w
    if not cut < top:  # w is below the rounding of s
        return top, 0.0
    step, inside = _step(s, w, max(cut, top - excess))
    if inside > 0:
        cut = max(cut, step)
    count = 0
    for i in range(n):
        room[count] = s[i]
        count += s[i] > cut
    t = min(root(room[:count], w, cut), top)
    return t, top - t


@jit
def _kth_largest(x, k):
    """Return the k-th largest entry by quickselect; x is reordered."""
    low, high, k = 0, x.size - 1, k - 1
    while low < high:
        pivot, i, j = x[(low + high) // 2], low, high
        while i <= j:
            while x[i] > pivot:
                i += 1
            while x[j] < pivot:
                j -= 1
            if i <= j:
                x[i], x[j] = x[j], x[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return x[k]


@jit
def keep_largest(s, k, w, t, j):
    """If more than k entries lie above t[j], drop the others and correct t[j]; ties: the first ones stay."""
    inside = s[s > t[j]]
    if inside.size <= k:
        return
    kth = _kth_largest(inside, k)
    above = 0
    for q in range(s.size):
        above += s[q] > kth
    left, total = k - above, 0.0
    for q in range(s.size):
        if s[q] > kth or (s[q] == kth and left > 0):
            left -= s[q] == kth
            total += s[q]
        else:
            s[q] = -np.inf
    t[j] = (total - w) / k  # all k are inside: t[j] was above what it is now
