"""Parts of a sparse matrix, and the bidiagonal matrix of Golub, Kahan and Lanczos."""

import numpy as np

from numopt._kernels.cpu._csr_matrix import csr_multiply
from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._matrix import dense_adjoint, dense_forward


@jit
def csr_part(data, indices, indptr, rows, columns, n):
    """Return the rows and columns of these numbers, in order, of a CSR matrix with n columns, in float64."""
    place = np.full(n, -1, np.int32)
    for k in range(columns.size):
        place[columns[k]] = k
    room = 0
    for i in rows:
        room += indptr[i + 1] - indptr[i]
    values, numbers = np.empty(room + 1), np.empty(room + 1, np.int32)
    start, count = np.zeros(rows.size + 1, np.int32), 0
    for k in range(rows.size):
        for q in range(indptr[rows[k]], indptr[rows[k] + 1]):  # written whether kept or not: no branch
            p = place[indices[q]]
            values[count], numbers[count] = data[q], p
            count += p >= 0
        start[k + 1] = count
    return values[:count].copy(), numbers[:count].copy(), start


@jit
def _across(v, normal):
    """Turn v into a unit vector across `normal`, if there is one; return its norm before."""
    if normal.size:
        v -= normal * np.dot(normal, v)
    size = np.sqrt(np.dot(v, v))
    if size > 0:
        v /= size
    return size


@jit
def dense_bidiagonal(A, x, normal_x, normal_y, steps):
    """Return the diagonal and upper entries in turn, from the start x."""
    x, y, beta, band = x.copy(), np.zeros(A.shape[0]), 0.0, np.empty(2 * steps)
    _across(x, normal_x)
    for k in range(steps):
        y = dense_forward(A, x) - beta * y
        band[2 * k] = alpha = _across(y, normal_y)
        x = dense_adjoint(A, y) - alpha * x
        band[2 * k + 1] = beta = _across(x, normal_x)
    return band


@jit
def csr_bidiagonal(data, indices, indptr, data_T, indices_T, indptr_T, x, normal_x, normal_y, steps):
    """Do the same with a sparse matrix."""
    x, y, beta, band = x.copy(), np.zeros(indptr.size - 1), 0.0, np.empty(2 * steps)
    _across(x, normal_x)
    for k in range(steps):
        y = csr_multiply(data, indices, indptr, data_T, indices_T, indptr_T, x) - beta * y
        band[2 * k] = alpha = _across(y, normal_y)
        x = csr_multiply(data_T, indices_T, indptr_T, data, indices, indptr, y) - alpha * x
        band[2 * k + 1] = beta = _across(x, normal_x)
    return band
