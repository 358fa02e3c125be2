"""Sparse arrays: one format inside, canonical CSR."""

from numopt._array import float_dtype, host, is_cupy, namespace
from numopt.exceptions import InvalidInputError

_MAX_INDEX = 2**31 - 1


def as_csr(A, dtype=None):
    """Return `A` as a canonical CSR array: rows sorted, no duplicates, 32-bit indices.

    Parameters
    ----------
    A : sparse array or matrix of shape (n, m)
        Any SciPy or CuPy format. It is not written to.
    dtype : dtype, optional
        float32 or float64; None (default) keeps float32 and float64 and turns the rest into float64.

    Returns
    -------
    csr_array
        Of the same library (CuPy before version 14: csr_matrix). It may share memory with `A`.
        Explicit zeros are kept.

    Raises
    ------
    InvalidInputError
        More than 2**31 - 1 non-zeros or columns: kernels and cuSPARSE use 32-bit indices.
    InvalidTypeError
        A complex or half-precision dtype.
    """
    if max(A.nnz, *A.shape) > _MAX_INDEX:
        raise InvalidInputError(
            f"sparse array of shape {A.shape} with nnz = {A.nnz}: sizes up to 2**31 - 1 are supported; "
            f"split the array into blocks of rows"
        )
    xp = namespace(A)
    dtype = dtype or float_dtype(xp, A)
    container = _csr_container(xp)
    csr = container(A, dtype=dtype)
    if not csr.has_canonical_format:
        csr = csr.copy()  # summing works in place, and the arrays may be the caller's
        csr.sum_duplicates()
    if csr.indices.dtype != xp.int32 or csr.indptr.dtype != xp.int32:
        parts = csr.data, xp.astype(csr.indices, xp.int32), xp.astype(csr.indptr, xp.int32)
        csr = container(parts, shape=csr.shape)
    return csr


def csr(values, rows, columns, shape):
    """Return a CSR array of these entries: of CuPy if `values` is CuPy's, else of SciPy, on the host."""
    xp = namespace(values)
    parts = (values, rows, columns) if is_cupy(xp) else host(values, rows, columns)
    return _csr_container(xp)((parts[0], parts[1:]), shape=shape)


def _csr_container(xp):
    if is_cupy(xp):
        import cupyx.scipy.sparse as sparse
    else:
        import scipy.sparse as sparse
    return getattr(sparse, "csr_array", None) or sparse.csr_matrix
