"""Products with sparse matrices of either float dtype, by rows; all sums are in float64."""

import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._matrix import nonzeros

_SUM = {"contract", "reassoc", "nsz"}
_SCATTER = 4  # entries of a row below which columns are added up instead
_USED = 0.75  # share of a vector that is not 0, below which only the columns in use are read


@jit(fastmath=_SUM)
def _csr_product(data, indices, indptr, x):
    """Return the product of a CSR matrix and x: four entries at a time, then two, then one."""
    columns = indices.view(np.uint32)
    out = np.empty(indptr.size - 1)
    q = np.int64(indptr[0])
    for i in range(out.size):
        high = np.int64(indptr[i + 1])
        s0 = s1 = s2 = s3 = 0.0
        while q + 4 <= high:
            s0 += data[q] * x[columns[q]]
            s1 += data[q + 1] * x[columns[q + 1]]
            s2 += data[q + 2] * x[columns[q + 2]]
            s3 += data[q + 3] * x[columns[q + 3]]
            q += 4
        if q + 2 <= high:
            s0 += data[q] * x[columns[q]]
            s1 += data[q + 1] * x[columns[q + 1]]
            q += 2
        if q < high:
            s0 += data[q] * x[columns[q]]
            q += 1
        out[i] = (s0 + s1) + (s2 + s3)
    return out


@jit(fastmath=_SUM)
def _csr_scatter(data, indices, indptr, y, used, size):
    """Return the product of the transpose of a CSR matrix and y, adding up the rows that are used."""
    columns = indices.view(np.uint32)
    out = np.zeros(size)
    for k in range(used.size):
        i = used[k]
        for q in range(np.int64(indptr[i]), np.int64(indptr[i + 1])):
            out[columns[q]] += data[q] * y[i]
    return out


@jit
def csr_multiply(data, indices, indptr, data_T, indices_T, indptr_T, x):
    """Return A x from the rows of A, or from the columns in use if they are fewer, or the rows very short."""
    count = 0
    for j in range(x.size):
        count += x[j] != 0.0
    if count < _USED * x.size or data.size < _SCATTER * (indptr.size - 1):
        return _csr_scatter(data_T, indices_T, indptr_T, x, nonzeros(x), indptr.size - 1)
    return _csr_product(data, indices, indptr, x)


@jit
def csr_gram(data, indices, indptr, data_T, indices_T, indptr_T, d):
    """Return A diag(d) A^T as a dense array: row i adds up the columns that it meets."""
    m = indptr.size - 1
    M = np.zeros((m, m))
    for i in range(m):
        for q in range(indptr[i], indptr[i + 1]):
            j = indices[q]
            a = data[q] * d[j]
            for r in range(indptr_T[j], indptr_T[j + 1]):
                M[i, indices_T[r]] += a * data_T[r]
    return M


@jit
def csr_maxima(data, indices, indptr, x):
    """Return the largest data_q x_q of each row, 0 for an empty one."""
    out = np.zeros(indptr.size - 1)
    for i in range(out.size):
        for q in range(indptr[i], indptr[i + 1]):
            out[i] = max(out[i], data[q] * x[indices[q]])
    return out
