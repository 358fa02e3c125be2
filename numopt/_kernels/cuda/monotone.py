"""Kernels of games and linear programs on a CUDA device; what a matrix and a set are: the portable room.

What a step of the primal-dual method does to vectors is four launches instead of some forty, and none of them asks the
host. Products with a float32 matrix read it as it is.
"""

import numpy as np

from numopt._array import namespace
from numopt._kernels.cuda import _sparse
from numopt._kernels.cuda._launch import empty, launch, module, rows_first, wide

_ONE = 1024  # threads, at most, of what one block does alone
_MANY = 256
_PARTS = 64  # of a sum over rows


def forward(matrix, x):
    """Return A x."""
    if len(matrix) > 1:
        return _sparse.times(*matrix[:3], x)
    (A,) = matrix
    if A.dtype != np.float32:
        return A @ x
    out = empty((A.shape[0],), np.float64)
    launch(module("monotone"), "forward", A.shape[0], _MANY, rows_first(A), wide(x), A.shape[1], out)
    return out


def adjoint(matrix, y):
    """Return A^T y."""
    if len(matrix) > 1:
        return _sparse.times(*matrix[3:], y)
    (A,) = matrix
    if A.dtype != np.float32:
        return y @ A
    m, n = A.shape
    blocks = min(m, _PARTS)
    parts = empty((blocks, n), np.float64)
    launch(module("monotone"), "adjoint", (blocks, -(-n // _MANY)), _MANY, rows_first(A), wide(y), m, n, parts)
    return namespace(y).sum(parts, axis=0)


def products(matrix, x, y):
    """Return (A x, A^T y)."""
    return forward(matrix, x), adjoint(matrix, y)


def project_simplex(v, total):
    """Return the point of {x >= 0, sum x = total} nearest to v."""
    return _projected(wide(v), total, empty((0,), np.float64))


def pdhg_steps(matrix, c, b, X, Y, point, anchor, k, tau, sigma, steps):
    """Take `steps` Halpern steps of reflected PDHG."""
    compiled, (x, y, Ax, ATy), (x0, y0, Ax0, ATy0) = module("monotone"), map(wide, point), map(wide, anchor)
    (c, b), (X, Y) = map(wide, (c, b)), ((S[0], wide(S[1]), wide(S[2])) for S in (X, Y))
    n, m, none = x.shape[0], y.shape[0], empty((0,), np.float64)
    for i in range(k, k + steps):
        xh = _moved(compiled, x, -tau, (1.0, ATy), (0.0, none), (1.0, c), X)
        Axh = forward(matrix, xh)
        yh = _moved(compiled, y, sigma, (2.0, Axh), (-1.0, Ax), (-1.0, b), Y)
        ATyh = adjoint(matrix, yh)
        before = x, xh, y, yh, Ax, Axh
        x, Ax = _averaged(compiled, (x, xh, x0), (Ax, Axh, Ax0), (i + 1) / (i + 2))
        y, ATy = _averaged(compiled, (y, yh, y0), (ATy, ATyh, ATy0), (i + 1) / (i + 2))
    moved = empty((3,), np.float64)
    launch(compiled, "displacement", 1, _alone(max(n, m)), *before, n, m, moved)
    return (x, y, Ax, ATy), (xh, yh, Axh, ATyh), (moved[0, ...], moved[1, ...], moved[2, ...])


def _alone(n):
    return min(_ONE, -(-n // 32) * 32)


def _projected(v, total, weights):
    out, n = empty(v.shape, np.float64), v.shape[0]
    launch(module("monotone"), "project_simplex", 1, _alone(n), v, weights, n, float(total), out)
    return out


def _moved(compiled, v, step, one, two, three, S):
    """Return the projection on the set S of v moved by `step` times a sum of (weight, vector)."""
    (total, lower, upper), n = S, v.shape[0]
    bounds = (empty((0,), np.float64),) * 2 if total > 0 else (lower, upper)
    out = empty((n,), np.float64)
    vectors = (*one, *two, *three)
    launch(compiled, "moved", -(-n // _MANY), _MANY, v, float(step), *vectors, *bounds, n, out)
    return _projected(out, total, lower) if total > 0 else out


def _averaged(compiled, vectors, products, a):
    n, m = vectors[0].shape[0], products[0].shape[0]
    out = empty((n,), np.float64), empty((m,), np.float64)
    launch(compiled, "averaged", -(-max(n, m) // _MANY), _MANY, *vectors, *products, a, n, m, *out)
    return out
