"""From checked arguments to the problem that the methods solve."""

import math

import numpy as np

from numopt._array import clip, host
from numopt._check import integer, one_of, scalar
from numopt._kernels import kernels
from numopt.completion._data import entries
from numopt.completion._parts import norm_of
from numopt.completion._problem import Problem, median
from numopt.exceptions import BackendError, InvalidInputError, NumoptWarning, warn

_FAR = 1e8  # in units of the data: residuals there are those of outliers


def problem(X, rank, *, mask, sample_weight, ridge, ridge_mode, bias_ridge, loss, center, duplicates, tol,
            validation_fraction, rng):  # fmt: skip
    """Return the `Problem`; see `matrix_completion` for the arguments."""
    one_of("ridge_mode", ridge_mode, ("constant", "count"))
    one_of("loss", loss, ("squared", "huber"))
    one_of("center", center, ("none", "global", "biases"))
    ridge = scalar("ridge", ridge, low=0.0, remedy="pass a ridge >= 0")
    fraction = scalar("validation_fraction", validation_fraction, low=0.0, high=0.9, remedy="hold out a part")
    seen = entries(X, mask, sample_weight, duplicates)
    m, n = seen.shape
    if not (isinstance(rank, str) and rank == "auto"):
        rank = integer("rank", rank, low=1, high=min(m, n), remedy='lower it, or pass rank="auto"')
    held = None
    if fraction > 0:
        seen, held = _split(seen, fraction, rng)
    xp, size = seen.xp, seen.y.shape[0]
    w_mean = 1.0
    if seen.w is not None:
        least, most = host(xp.min(seen.w), xp.max(seen.w))
        w_mean = host(xp.sum(seen.w / most, dtype=xp.float64)) / size * most
        seen = seen._replace(w=None if least == most else seen.w / w_mean)  # equal weights are none
    mean, scale = _units(xp, seen, center, loss == "huber")
    biased, per_row = _bias_ridge(bias_ridge, ridge, center), ridge_mode == "count"
    unit = 1.0 if per_row else w_mean  # of what weights divided by their mean leave of a ridge
    inside, biased = ridge / unit / scale, None if biased is None else biased / unit
    if not (size if per_row else 1) * max(inside, biased or 0.0) < float(xp.finfo(seen.y.dtype).max):
        raise InvalidInputError(
            f"ridge is {ridge} and bias_ridge {bias_ridge}, for entries of size {scale:.3g}: beyond what numbers "
            f"reach; lower the ridge, or rescale X"
        )
    expect_range(scale, seen.shape, xp.finfo(seen.y.dtype))
    far = _FAR * scale if loss == "huber" else math.inf  # beyond it outliers pull no more than at it
    y = seen.y - mean if mean else seen.y
    seen = seen._replace(y=(clip(y, -far, far) if far < math.inf else y) / scale)
    rows, columns = seen.sides()
    if held is not None:
        held = held._replace(y=clip(held.y - mean, -far, far) / scale, w=None if held.w is None else held.w / w_mean)
    flipped = m > n
    if flipped:
        rows, columns, m, n = columns, rows, n, m
        held = held and held._replace(rows=held.columns, columns=held.rows)
    found = Problem(
        xp=xp, kernels=kernels("completion", xp), device=seen.device, rows=rows, columns=columns, shape=(m, n),
        flipped=flipped, rank=rank, ridge=inside, counted=per_row, bias_ridge=biased, robust=loss == "huber",
        mean=mean, scale=scale, norm=norm_of(rows, loss == "huber"), density=size / (m * n),
        tol=tol, held=held,
    )  # fmt: skip
    _advise(found, size)
    return found


def _split(seen, fraction, rng):
    """Return (training, held-out) entries."""
    size = seen.y.shape[0]
    out = rng.permutation(size)[: int(fraction * size)]
    keep = np.ones(size, bool)
    keep[out] = False
    if not keep.any() or not out.size:
        raise InvalidInputError(
            f"validation_fraction is {fraction} of {size} entries: some must remain on either side; change it"
        )
    return tuple(seen.taken(seen.xp.asarray(np.nonzero(which)[0], device=seen.device)) for which in (keep, ~keep))


def _units(xp, seen, center, robust):
    """Return (mean, root mean square about it), Python floats; numbers as large as 1e300 do not overflow.

    Beside outliers they are those of what most entries are: their median, and at most three of their deviations.
    """
    least, most = host(xp.min(seen.y), xp.max(seen.y))
    most = max(-least, most) or 1.0
    if not most < math.inf:
        raise InvalidInputError("X has entries whose range overflows; rescale it")
    k = kernels("completion", xp)
    w = xp.empty((0,), dtype=seen.y.dtype, device=seen.device) if seen.w is None else seen.w
    total, first, square = k.moments(seen.y, w, most, 0.0)
    mean = 0.0 if center == "none" else median(xp, seen.y) / most if robust else first / total
    if mean:
        square = k.moments(seen.y, w, most, mean)[2]
    if not math.isfinite(total + first + square):
        raise BackendError("sums of finite entries are not finite: a kernel failed; try another array library")
    size = math.sqrt(square / total) or 1.0
    if robust:
        size = min(size, 3 * 1.4826 * median(xp, xp.abs(seen.y / most - mean)) or size)
    return mean * most, size * most


def expect_range(scale, shape, limits):
    """Raise for entries so large that the singular values of the matrix are beyond the limits of its dtype."""
    if not scale * math.sqrt(math.prod(shape)) < float(limits.max):
        raise InvalidInputError(f"X has entries of size {scale:.3g}: its singular values overflow; rescale it")


def _bias_ridge(bias_ridge, ridge, center):
    if bias_ridge is not None:
        bias_ridge = scalar("bias_ridge", bias_ridge, low=0.0, remedy="pass a ridge >= 0, or None for `ridge`")
        if center != "biases":
            raise InvalidInputError(f'bias_ridge is {bias_ridge} without biases; pass center="biases", or leave it out')
    if center != "biases":
        return None
    return ridge if bias_ridge is None else bias_ridge


def _advise(p, size):
    """Warn of patterns that cannot determine a completion."""
    if p.penalised or p.rank == "auto":
        return
    counts = np.concatenate([np.diff(side.indptr) for side in (p.rows, p.columns)])
    middle = float(np.median(counts[counts > 0]))
    if p.rank > middle:
        warn(
            f"rank is {p.rank} and half of the rows and columns have at most {middle:.0f} entries: they are "
            f"under-determined; lower the rank, or pass ridge",
            NumoptWarning,
        )
