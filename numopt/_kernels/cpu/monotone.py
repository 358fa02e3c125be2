"""Kernels of games, linear programs and finite sums on the CPU; what a matrix and a set are: the portable room."""

import numpy as np

from numopt._kernels.cpu._csr_matrix import csr_gram, csr_maxima, csr_multiply
from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._math import exp64
from numopt._kernels.cpu._matrix import dense_adjoint, dense_forward, dense_maxima, dense_products
from numopt._kernels.cpu._matrix_part import csr_bidiagonal, csr_part, dense_bidiagonal
from numopt._kernels.cpu._projection import plain, weighted

_SUM = {"contract", "reassoc", "nsz"}


def forward(matrix, x):
    """Return A x."""
    return dense_forward(matrix[0], x) if len(matrix) == 1 else csr_multiply(*matrix, x)


def adjoint(matrix, y):
    """Return A^T y."""
    return dense_adjoint(matrix[0], y) if len(matrix) == 1 else csr_multiply(*matrix[3:], *matrix[:3], y)


def products(matrix, x, y):
    """Return (A x, A^T y), reading a dense A once."""
    if len(matrix) == 1:
        return dense_products(matrix[0], x, y)
    return csr_multiply(*matrix, x), csr_multiply(*matrix[3:], *matrix[:3], y)


def part(matrix, rows, columns):
    """Return the rows and columns of these numbers as a matrix in float64."""
    if len(matrix) == 1:
        return (np.ascontiguousarray(matrix[0][np.ix_(rows, columns)], np.float64),)
    sizes = matrix[5].size - 1, matrix[2].size - 1
    return *csr_part(*matrix[:3], rows, columns, sizes[0]), *csr_part(*matrix[3:], columns, rows, sizes[1])


def bidiagonal(matrix, x, normal_x, normal_y, steps):
    """Return the bidiagonal matrix of Golub, Kahan and Lanczos after `steps`, from x."""
    run = dense_bidiagonal if len(matrix) == 1 else csr_bidiagonal
    return run(*matrix, x, normal_x, normal_y, steps)


def project_simplex(v, total):
    """Return the point of {x >= 0, sum x = total} nearest to v."""
    return plain(v, total)


def pdhg_steps(matrix, c, b, X, Y, point, anchor, k, tau, sigma, steps):
    """Take `steps` Halpern steps of reflected PDHG."""
    run = _dense_steps if len(matrix) == 1 else _csr_steps
    state = tuple(v.copy() for v in point)
    hat, displacement = run(*matrix, c, b, X, Y, state, anchor, k, tau, sigma, steps)
    return state, hat, displacement


@jit(fastmath=_SUM)
def _combine(v, hat, anchor, a):
    """Move v to the Halpern average of its reflection 2 hat - v and the anchor."""
    for i in range(v.size):
        v[i] = a * (2.0 * hat[i] - v[i]) + (1.0 - a) * anchor[i]


@jit(fastmath=_SUM)
def _squared_distance(u, v):
    total = 0.0
    for i in range(u.size):
        total += (u[i] - v[i]) ** 2
    return total


@jit(fastmath=_SUM)
def _displacement(state, hat):
    cross = 0.0
    for i in range(state[1].size):
        cross += (hat[1][i] - state[1][i]) * (hat[2][i] - state[2][i])
    return _squared_distance(hat[0], state[0]), _squared_distance(hat[1], state[1]), cross


@jit(fastmath=_SUM)
def _x_step(c, X, state, tau):
    """Return the projection of x - tau (c + A^T y)."""
    (total, lower, upper), x, ATy = X, state[0], state[3]
    v = np.empty(x.size)
    if total > 0:
        for j in range(x.size):
            v[j] = x[j] - tau * (c[j] + ATy[j])
        return weighted(v, total, lower)
    for j in range(x.size):
        v[j] = min(max(x[j] - tau * (c[j] + ATy[j]), lower[j]), upper[j])
    return v


@jit(fastmath=_SUM)
def _y_step(b, Y, state, Axh, sigma):
    """Return the projection of y + sigma (A (2 xh - x) - b)."""
    (total, lower, upper), y, Ax = Y, state[1], state[2]
    v = np.empty(y.size)
    if total > 0:
        for i in range(y.size):
            v[i] = y[i] + sigma * (2.0 * Axh[i] - Ax[i] - b[i])
        return weighted(v, total, lower)
    for i in range(y.size):
        v[i] = min(max(y[i] + sigma * (2.0 * Axh[i] - Ax[i] - b[i]), lower[i]), upper[i])
    return v


@jit
def _average(state, hat, anchor, i):
    a = (i + 1.0) / (i + 2.0)
    _combine(state[0], hat[0], anchor[0], a)
    _combine(state[1], hat[1], anchor[1], a)
    _combine(state[2], hat[2], anchor[2], a)
    _combine(state[3], hat[3], anchor[3], a)


@jit
def _dense_steps(A, c, b, X, Y, state, anchor, k, tau, sigma, steps):
    """Advance the state in place; return the last hat point with its products, and its displacement."""
    hat, d = state, (0.0, 0.0, 0.0)
    for i in range(k, k + steps):
        xh = _x_step(c, X, state, tau)
        Axh = dense_forward(A, xh)
        yh = _y_step(b, Y, state, Axh, sigma)
        hat = (xh, yh, Axh, dense_adjoint(A, yh))
        if i == k + steps - 1:
            d = _displacement(state, hat)
        _average(state, hat, anchor, i)
    return hat, d


@jit
def _csr_steps(data, indices, indptr, data_T, indices_T, indptr_T, c, b, X, Y, state, anchor, k, tau, sigma, steps):
    """Do the same with a sparse matrix."""
    hat, d = state, (0.0, 0.0, 0.0)
    for i in range(k, k + steps):
        xh = _x_step(c, X, state, tau)
        Axh = csr_multiply(data, indices, indptr, data_T, indices_T, indptr_T, xh)
        yh = _y_step(b, Y, state, Axh, sigma)
        hat = (xh, yh, Axh, csr_multiply(data_T, indices_T, indptr_T, data, indices, indptr, yh))
        if i == k + steps - 1:
            d = _displacement(state, hat)
        _average(state, hat, anchor, i)
    return hat, d


def largest(matrix, rows, columns):
    """Return the largest entries of the rows and of the columns of diag(rows) A diag(columns), for A >= 0."""
    if len(matrix) == 1:
        return dense_maxima(matrix[0], rows, columns)
    return rows * csr_maxima(*matrix[:3], columns), columns * csr_maxima(*matrix[3:], rows)


def gram(matrix, d, e):
    """Return A diag(d) A^T + diag(e) for d > 0."""
    if len(matrix) == 1:
        B = matrix[0] * np.sqrt(d)
        M = B @ B.T  # NumPy calls syrk
    else:
        M = csr_gram(*matrix, d)
    M.ravel()[:: M.shape[0] + 1] += e
    return M


def factor(M, ridge):
    """Return the lower Cholesky factor of M + ridge I, NaN in it if there is none; M has a unit diagonal."""
    from scipy.linalg.lapack import dpotrf

    K = M.copy()
    K.ravel()[:: K.shape[0] + 1] += ridge
    L, info = dpotrf(K.T, lower=1, overwrite_a=1)  # symmetric, and in LAPACK's order
    return L if info == 0 else np.full_like(L, np.nan)


def factored_solve(L, B):
    """Return the solution of L L^T X = B for a matrix B."""
    from scipy.linalg.lapack import dpotrs

    return dpotrs(L, B, lower=1)[0]


def svrg_steps(A, b, loss, ridge, z, w, Fw, at_w, index, weights, step, lower, upper, shrink):
    """Return z after a step for each index: towards -(F(w) + weight (F_i(z) - F_i(w)))."""
    z = z.copy()
    _svrg_steps(A, b, loss, ridge, z, w, Fw, at_w, index, weights, step, lower, upper, shrink)
    return z


@jit(fastmath=_SUM)
def _svrg_steps(A, b, loss, ridge, z, w, Fw, at_w, index, weights, step, lower, upper, shrink):
    bounded, cut = np.isfinite(lower).any() or np.isfinite(upper).any(), step * shrink
    for q in range(index.size):
        i = index[q]
        t = 0.0
        for j in range(z.size):
            t += A[i, j] * z[j]
        value = t - b[i] if loss == 0 else 1.0 / (1.0 + exp64(-t)) - b[i]
        change = weights[q] * (value - at_w[i])
        pull = weights[q] * ridge
        for j in range(z.size):
            z[j] -= step * (Fw[j] + change * A[i, j] + pull * (z[j] - w[j]))
        if cut > 0.0:
            for j in range(z.size):
                z[j] = max(z[j] - cut, 0.0) + min(z[j] + cut, 0.0)
        if bounded:
            for j in range(z.size):
                z[j] = min(max(z[j], lower[j]), upper[j])


def scatter(index, values, size):
    """Return the vector whose entry i is the sum of the values with this index."""
    return np.bincount(index, weights=values, minlength=size)


def warmup(dtype):
    """Compile for one dtype of the matrix."""
    from scipy.sparse import eye_array

    A, one = np.eye(2, dtype=dtype), np.ones(2)
    S = eye_array(2, format="csr", dtype=dtype)
    sparse = (S.data, S.indices, S.indptr) * 2
    for matrix in ((A,), sparse):
        products(matrix, one, one)
        point = (one, one, forward(matrix, one), adjoint(matrix, one))
        pdhg_steps(matrix, one, one, (1.0, one, one), (0.0, one, one), point, point, 0, 0.5, 0.5, 1)
        part(matrix, np.arange(2), np.arange(2))
        largest(matrix, one, one)
        bidiagonal(matrix, one, one, one, 1)
    order = np.arange(2)
    svrg_steps(A, one, 1, 0.0, one, one, one, one, order, one, 0.5, -one, one, 0.0)
