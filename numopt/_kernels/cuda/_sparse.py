"""Products with sparse matrices on a CUDA device, for all families."""

import numpy as np

from numopt._kernels.cuda._launch import empty, launch, module, rows_first, wide

INTEGERS = {"int32": "int", "uint32": "unsigned", "int64": "Int"}


def times(values, index, start, x, order=None, out=None):
    """Return sum values[q] x[index[q]] for each run of entries q from start[i] to start[i + 1], in float64.

    With `order` (int64), the entries order[start[i]] ... of run i are taken. `out` is written to if it is given.
    """
    n = start.shape[0] - 1
    out = empty((n,), np.float64) if out is None else out
    order = empty((0,), np.int64) if order is None else order
    entries = wide(values), rows_first(index), order, start
    launch(_compiled(index, start), "row_sums", -(-n // 8), 256, *entries, wide(x), n, out)
    return out


def maxima(values, index, start, x):
    """Return the largest values[q] x[index[q]] of each run of entries, 0 for an empty one, in float64."""
    n = start.shape[0] - 1
    out = empty((n,), np.float64)
    entries = wide(values), rows_first(index), start
    launch(_compiled(index, start), "row_maxima", -(-n // 8), 256, *entries, wide(x), n, out)
    return out


def _compiled(index, start):
    return module("sparse", f"INDEX={INTEGERS[index.dtype.name]}", f"INDPTR={INTEGERS[start.dtype.name]}")
