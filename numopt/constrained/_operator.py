"""Matrices in three forms (dense, CSR, products only) and the few things the methods do with them."""

import numpy as np

from numopt import _array


class Operator:
    """A linear map known by its products; `rmatvec` is `matvec` where it is symmetric."""

    def __init__(self, shape, matvec, rmatvec=None):
        self.shape, self.matvec, self.rmatvec = shape, matvec, rmatvec or matvec


def as_operator(A):
    """Return any of the three forms as an `Operator`."""
    if isinstance(A, Operator):
        return A
    if hasattr(A, "matvec"):
        return Operator(tuple(A.shape), A.matvec, getattr(A, "rmatvec", None))
    return Operator(tuple(A.shape), lambda p: A @ p, lambda q: transposed_times(A, q))


def times(A, p):
    """Return A p."""
    return A.matvec(p) if isinstance(A, Operator) else A @ p


def transposed_times(A, q):
    """Return A^T q."""
    if type(A) is np.ndarray:
        return q @ A
    if isinstance(A, Operator):
        return A.rmatvec(q)
    return A.T @ q if _array.is_sparse(A) else q @ A


def stack(xp, space, parts, n):
    """Return matrices on top of one another, in the least structured of their forms."""
    if not parts:
        return xp.zeros((0, n), dtype=space.dtype, device=space.device)
    if len(parts) == 1 and type(parts[0]) is np.ndarray:
        return parts[0]
    if any(hasattr(A, "matvec") for A in parts):
        parts = [as_operator(A) for A in parts]
        return parts[0] if len(parts) == 1 else _stacked(xp, parts, n)
    if len(parts) == 1:
        return parts[0]
    if any(_array.is_sparse(A) for A in parts):
        import scipy.sparse

        return scipy.sparse.vstack([scipy.sparse.csr_array(A) for A in parts], format="csr")
    return xp.concat(parts, axis=0)


def _stacked(xp, parts, n):
    ends = np.cumsum([A.shape[0] for A in parts])
    starts = ends - [A.shape[0] for A in parts]

    def rmatvec(q):
        return sum(A.rmatvec(q[i:j]) for A, i, j in zip(parts, starts, ends, strict=True))

    return Operator((int(ends[-1]), n), lambda p: xp.concat([A.matvec(p) for A in parts]), rmatvec)


def plus(xp, space, A, B):
    """Return A + B for symmetric matrices, in the less structured of their forms; None stands for nothing."""
    if type(A) is type(B) is np.ndarray:  # the common case, called often
        return A + B
    if A is None:
        return as_operator(B) if hasattr(B, "matvec") else B
    if hasattr(A, "matvec") or hasattr(B, "matvec"):
        A, B = as_operator(A), as_operator(B)
        return Operator(A.shape, lambda p: A.matvec(p) + B.matvec(p))
    out = A + B
    if _array.is_sparse(out):
        return out.tocsr()
    return xp.asarray(out, device=space.device)  # a sparse and a dense one make a matrix object


def rows_scaled(A, scale):
    """Return diag(scale) A, for a vector or a number."""
    if isinstance(A, Operator) or hasattr(A, "matvec"):
        A = as_operator(A)
        return Operator(A.shape, lambda p: scale * A.matvec(p), lambda q: A.rmatvec(scale * q))
    if isinstance(scale, float):
        return A * scale
    if _array.is_sparse(A):
        out = A.copy()
        out.data *= np.repeat(scale, np.diff(A.indptr))
        return out
    return A * scale[:, None]
