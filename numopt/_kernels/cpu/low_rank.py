"""Gradient steps on nonnegative low-rank factors: sums run along the points, 4 n q r flops a gradient and block."""

import math

import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._sums import SUM as _SUM
from numopt._kernels.cpu._sums import dot as _dot

_MEMORY = 8


def descend(F, h, U, norms, y, beta, tol, steps):
    """Make projected Barzilai-Borwein steps; see the portable room."""
    F, U = (np.ascontiguousarray(x.transpose(0, 2, 1)) for x in (F, U))
    U, g = U.copy(), np.empty(U.shape[2])
    move = _descend(F, h, U, norms, y, beta, tol, steps, g)
    return np.ascontiguousarray(U.transpose(0, 2, 1)), float(move), g


@jit
def _descend(F, h, U, norms, y, beta, tol, steps, g):
    """Overwrite U (blocks, r, n) and the violation g; return the size of the last step."""
    G, trial, new_G, new_g = np.empty_like(U), np.empty_like(U), np.empty_like(U), np.empty_like(g)
    value = _lagrangian(F, h, U, y, beta, G, g)
    seen, count = np.full(_MEMORY, -np.inf), 1
    seen[0] = value
    step, whole, move = 0.1 / max(math.sqrt(np.sum(G * G)), 1e-300), math.sqrt(np.sum(norms)), np.inf
    for _ in range(steps if value - value == 0 else 0):  # finite
        found = False
        for _ in range(20):
            _project(U, G, step, norms, trial)
            value = _lagrangian(F, h, trial, y, beta, new_G, new_g)
            square, curved = _changes(U, trial, G, new_G)
            if value <= np.max(seen) - 1e-4 / step * square:
                found = True
                break
            step /= 4
        if not found:
            break
        _copy(trial, U)
        _copy(new_G, G)
        _copy(new_g, g)
        move = math.sqrt(square) / whole
        seen[count % _MEMORY] = value
        count += 1
        if curved != 0:
            step = min(max(square / abs(curved), 1e-10), 1e10)
        if move < tol:
            break
    return move


@jit(fastmath=_SUM)
def _lagrangian(F, h, U, y, beta, G, g):
    (blocks, r, n), q, value = U.shape, F.shape[1], 0.0
    sums, FU = np.empty((blocks, r)), np.empty((q, r))
    g[:] = -1.0
    for b in range(blocks):
        for c in range(r):
            total = 0.0
            for i in range(n):
                total += U[b, c, i]
            sums[b, c] = total
            for i in range(n):
                g[i] += total * U[b, c, i]
            value += 2.0 * total * _dot(h[b], U[b, c])
    value += _dot(y, g) + 0.5 * beta * _dot(g, g)
    c = np.empty(n)
    for b in range(blocks):
        for a in range(q):
            for e in range(r):
                FU[a, e] = _dot(F[b, a], U[b, e])
                value -= FU[a, e] * FU[a, e]
        for i in range(n):
            c[i] = 2.0 * h[b, i] + (y[i] + beta * g[i])
        for e in range(r):
            constant, total = _dot(c, U[b, e]), sums[b, e]
            for i in range(n):
                G[b, e, i] = c[i] * total + constant
            for a in range(q):
                twice = 2.0 * FU[a, e]
                for i in range(n):
                    G[b, e, i] -= twice * F[b, a, i]
    return value


@jit(fastmath=_SUM)
def _project(U, G, step, norms, out):
    blocks, r, n = U.shape
    for b in range(blocks):
        total = 0.0
        for c in range(r):
            for i in range(n):
                v = max(U[b, c, i] - step * G[b, c, i], 0.0)
                out[b, c, i] = v
                total += v * v
        if not total > 0:
            out[b] = 1.0
            total = r * n
        scale = math.sqrt(norms[b] / total)
        for c in range(r):
            for i in range(n):
                out[b, c, i] *= scale


@jit
def _copy(x, out):  # "out[:] = x" takes seconds to compile: the words of an error that cannot happen
    x, out = x.reshape(-1), out.reshape(-1)
    for i in range(x.size):
        out[i] = x[i]


@jit(fastmath=_SUM)
def _changes(U, trial, G, new_G):
    square = curved = 0.0
    for b in range(U.shape[0]):
        for c in range(U.shape[1]):
            for i in range(U.shape[2]):
                d = trial[b, c, i] - U[b, c, i]
                square += d * d
                curved += d * (new_G[b, c, i] - G[b, c, i])
    return square, curved


def warmup(dtype):
    """Compile; factors are float64 always."""
    U, one = np.random.default_rng(0).random((1, 4, 2)), np.ones((1, 4))
    descend(U, one, U, np.ones(1), one[0], 1.0, 0.0, 2)
