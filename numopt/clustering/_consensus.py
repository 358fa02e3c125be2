"""The likelihood-adjusted relaxation by consensus of three projections, with a lower bound from its multipliers."""

import itertools
from typing import NamedTuple

import numpy as np

from numopt._array import clip, device, host, like
from numopt.clustering._problem import finite
from numopt.clustering._splitting import capped_simplex

_CHECK = 10
_CHANGES = 12


class Lifted(NamedTuple):
    """Z (k, n, n) psd of trace 1, and the multipliers y (n,) of the row sums and N (k, n, n) >= 0 of the entries."""

    Z: object
    y: object
    N: object


def consensus(xp, C, Z):
    """Yield `Lifted` every few iterations of ADMM on {psd, trace 1}, {>= 0} and {sum_k Z_k 1 = 1}, from Z."""
    k, n = C.shape[0], C.shape[1]
    unit = finite(xp.max(xp.linalg.matrix_norm(C - _mean_rows(xp, C))), "the costs") or 1.0  # 0: all points are equal
    rho, changes, mean = 1.0, 0, Z
    U = [xp.zeros_like(Z) for _ in range(3)]
    for step in itertools.count(1):
        parts = [
            _spectral(xp, mean - U[0]),
            clip(mean - U[1], 0.0, None),
            mean - U[2] - C / (unit * rho),
        ]
        g = xp.sum(parts[2], axis=(0, 2)) - 1.0
        shift = (2.0 / (k * n)) * (g - xp.sum(g) / (2 * n))
        parts[2] = parts[2] - 0.5 * (shift[:, None] + shift)
        old, mean = mean, sum(part + u for part, u in zip(parts, U, strict=True)) / 3.0
        U = [u + part - mean for part, u in zip(parts, U, strict=True)]
        if step % _CHECK:
            continue
        yield Lifted(parts[0], -unit * rho * shift, unit * rho * clip(U[1], 0.0, None))
        apart = xp.sqrt(sum(xp.sum((part - mean) ** 2) for part in parts))
        apart, moved = host(apart, xp.sqrt(3 * xp.sum((mean - old) ** 2)))
        factor = 2.0 if apart > 3 * moved else 0.5 if moved > 3 * apart else 1.0
        if factor != 1.0 and changes < _CHANGES:
            rho, changes, U = rho * factor, changes + 1, [u / factor for u in U]


def lifted_bound(xp, C, at):
    """Return 1'y + sum_k lambda_min(C_k - (y1' + 1y') / 2 - N_k): a lower bound for any y and any N >= 0."""
    M = C - 0.5 * (at.y[:, None] + at.y) - at.N
    values = xp.linalg.eigvalsh(0.5 * (M + xp.matrix_transpose(M)))
    lowest, largest, total = host(xp.sum(values[:, 0]), xp.max(xp.abs(values)), xp.sum(at.y))
    return total + lowest - C.shape[0] * C.shape[1] * 1e-16 * largest


def lifted_value(xp, C, at):
    """Return <C, Z> and the violation of Z >= 0 and of the row sums, relative to Z."""
    rows = xp.sum(at.Z, axis=(0, 2)) - 1.0
    off = xp.sum(clip(at.Z, None, 0.0) ** 2) + xp.sum(rows * rows) / at.Z.shape[1]
    return host(xp.sum(C * at.Z), xp.sqrt(off / xp.sum(at.Z * at.Z)))


def _mean_rows(xp, C):
    """Return what sums and shifts explain of each C_k: it moves neither labels nor the unit."""
    row = xp.mean(C, axis=2)
    return row[:, :, None] + row[:, None, :] - xp.mean(row, axis=1)[:, None, None]


def _spectral(xp, M):
    """Return the nearest positive semidefinite matrices of trace 1."""
    theta, V = xp.linalg.eigh(0.5 * (M + xp.matrix_transpose(M)))
    weights = [capped_simplex(row, 1) for row in host(theta)]  # the cap of 1 is implied
    w = like(xp, np.stack(weights), device(M), M.dtype)
    return (V * w[:, None, :]) @ xp.matrix_transpose(V)
