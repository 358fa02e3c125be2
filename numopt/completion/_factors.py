"""Small dense algebra of tall factors, in array-standard calls."""

import math

import numpy as np

from numopt._array import host, namespace
from numopt._kernels import kernels


class NotFiniteError(ArithmeticError):
    """A kernel returned a number that is not finite; decompositions must not see it."""


def finite(*arrays):
    """Return the arrays (one bare), or raise `NotFiniteError`."""
    xp = namespace(arrays[0])
    total = host(*(xp.sum(x) for x in arrays), 0.0)
    if not all(map(math.isfinite, total)):
        raise NotFiniteError
    return arrays if len(arrays) > 1 else arrays[0]


def qr(X):
    """Return an orthonormal basis (n, k) of the columns of X."""
    return tall(X).orthonormal(X)[0]


def tall(X):
    """Return the kernels for factors like X."""
    return kernels("completion", np if type(X) is np.ndarray else namespace(X))  # asked often


def transposed(X):
    """Return X^T."""
    return X.T


def outside(V, X):
    """Return (I - V V^T) X for an orthonormal V."""
    k = tall(X)
    return k.turned(V, -k.products(V, X), X)


def moved(V, D):
    """Return the orthonormal basis of V + D that is next to V; V is orthonormal, and D orthogonal to it."""
    xp, k = namespace(V), tall(V)
    s, Q = xp.linalg.eigh(k.products(D, D))
    return k.turned(V + D, (Q / xp.sqrt(1 + s)) @ transposed(Q))


def inner(X, Y):
    """Return <X, Y> in float64, on the device."""
    return tall(X).inner(X, Y)


def distance(V, W):
    """Return |V - W| relative to an orthonormal matrix of that shape."""
    D = V - namespace(V).astype(W, V.dtype, copy=False)
    return math.sqrt(host(inner(D, D)) / V.shape[1])


def balanced(U, V):
    """Return (U', V', s) with U' V'^T = U V^T, U'^T U' = V'^T V' = diag(s), s the singular values, falling."""
    xp, k = namespace(U), tall(U)
    if U.shape[1] == 0:
        return U, V, xp.sum(U, axis=0)
    (P, R), (Q, S) = k.orthonormal(U), k.orthonormal(V)
    left, s, right = xp.linalg.svd(finite(R @ transposed(S)), full_matrices=False)
    root = xp.sqrt(s)
    return *finite(k.turned(P, left * root), k.turned(Q, transposed(right) * root)), s
