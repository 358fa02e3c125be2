"""Products with sparse matrices on a CUDA device, for all families."""

import numpy as np

from numopt._kernels.cuda._launch import empty, launch, module, rows_first, wide

_C = {"int32": "int", "uint32": "unsigned", "int64": "Int"}


def times(values, index, start, x, order=None, out=None):
    """Return sum values[q] x[index[q]] for each run of entries q from start[i] to start[i + 1], in float64.

    With `order` (int64), the entries order[start[i]] ... of run i are taken. `out` is written to if it is given.
    """
    n = start.shape[0] - 1
    compiled = module("sparse", f"INDEX={_C[index.dtype.name]}", f"INDPTR={_C[start.dtype.name]}")
    out = empty((n,), np.float64) if out is None else out
    order = empty((0,), np.int64) if order is None else order
    launch(compiled, "row_sums", -(-n // 8), 256, wide(values), rows_first(index), order, start, wide(x), n, out)
    return out
