"""From a state in the solver's units to the result in the caller's."""

from functools import partial

import numpy as np

from numopt._array import host
from numopt.completion._factors import NotFiniteError, balanced
from numopt.completion._result import CompletionResult
from numopt.completion._unique import reasons, structure
from numopt.exceptions import BackendError

_HEAVY = 3.0  # times the mean: an outlier of that weight may take its row along


def finish(p, state, info, common):
    """Build the result in the caller's units and orientation."""
    xp = p.xp
    U, V, b, c = state
    counts = {name: int(info.get(name, 0)) for name in ("n_als", "n_gn", "n_cg")}
    if p.bias_ridge is None:
        b, c = (xp.zeros((size,), dtype=p.dtype, device=p.device) for size in p.shape)
    try:
        even = balanced(U, V)
    except NotFiniteError:
        raise BackendError("factors of the result are not finite: a kernel failed; try another array library") from None
    if not p.penalised:
        U, V, _ = even
    root, r = p.scale**0.5, U.shape[1]
    U, V, s, b, c = root * U, root * V, p.scale * even[2], p.scale * b, p.scale * c
    rows, columns, components = structure(p, max(r, 1))
    found = common["certificate"]
    m, n = p.shape
    rows, columns = (xp.asarray(x, device=p.device) for x in (rows, columns))
    if p.flipped:
        U, V, b, c, rows, columns = V, U, c, b, columns, rows
    if count := found.get("ambiguity"):
        common = common | {"message": partial(_explained, common["message"], reasons(p, r, count))}
    if p.robust and p.rows.weights.shape[0] and not common["success"]:
        heavy = host(xp.max(p.rows.weights))  # their mean is 1
        if heavy > _HEAVY:
            why = f"weights are up to {heavy:.3g} times their mean, and outliers pull as much harder: cut them at it"
            common = common | {"message": partial(_explained, common["message"], why)}
    size = p.rows.y.shape[0]
    scale = p.scale * p.weighted(state)[1] if p.robust else np.inf
    return CompletionResult(
        U=U, V=V, s=s, row_bias=b, col_bias=c, mean=p.mean, rank=r,
        rel_residual=found["rel_residual"], grad_norm=found["stationarity"],
        local_conditioning=found.get("local_conditioning", np.inf), error_estimate=found.get("error_estimate", np.inf),
        identifiable_rows=rows, identifiable_cols=columns, n_components=components,
        min_count=int(min(np.diff(p.rows.indptr).min(), np.diff(p.columns.indptr).min())),
        oversampling=size / (max(r, 1) * (m + n - max(r, 1))), loss_scale=scale,
        validation_rmse=p.scale * p.validation_rmse(state) if p.held else np.inf,
        **counts, **common,
    )  # fmt: skip


def _explained(message, why):
    return f"{message()}; {why}"
