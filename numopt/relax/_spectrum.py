"""What a tuner finds out of the matrices themselves: a family that they share, and its smallest eigenvalue."""

import math

import numpy as np

from numopt import _array
from numopt._kernels import kernels

_SAMPLE = 4096  # entries that are compared
_CLOSE = 1e-9
_SKEW = 1e-12  # square of the largest |a_ij - a_ji| / sqrt(a_ii a_jj) of a matrix that counts as symmetric


class Family:
    """Matrices A_t = s_t (A_0 + c_t I): equal off the diagonal up to a factor, with a constant diagonal."""

    def __init__(self, A):
        """Start with the first matrix, CSR; `known` says whether it can be a member at all."""
        self.nnz, self.n = A.nnz, A.shape[0]
        rows = np.repeat(np.arange(self.n), np.diff(A.indptr))
        on = np.flatnonzero(rows == A.indices)
        off = np.flatnonzero((rows != A.indices) & (A.data != 0))
        self.on = on[:: max(1, on.size // _SAMPLE)]
        self.off = off[:: max(1, off.size // _SAMPLE)]
        self.reference = A.data[self.off].astype(float)
        self.first = float(A.data[self.on[0]]) if self.on.size else 0.0
        self._measure()

    def _measure(self):
        self.size = float(np.linalg.norm(self.reference))

    @np.errstate(all="ignore")  # entries may be anything: nobody has looked at them yet
    def member(self, A):
        """Return (s, c, d) of a matrix of the family, d its diagonal, or None."""
        if A.data.size != self.nnz or A.shape[0] != self.n or not self.off.size:
            return None
        d, off = (A.data.take(at).astype(float, copy=False) for at in (self.on, self.off))
        s, diagonal = float(off[0] / self.reference[0]), float(d[0])
        off -= s * self.reference
        d -= diagonal
        if not (s > 0 and _norm(off) <= _CLOSE * s * self.size and _norm(d) <= _CLOSE * abs(diagonal)):
            return None
        return s, diagonal / s - self.first, diagonal

    def state(self):
        return {
            "nnz": int(self.nnz), "n": int(self.n), "on": self.on.tolist(), "off": self.off.tolist(),
            "reference": self.reference.tolist(), "first": self.first,
        }  # fmt: skip

    @classmethod
    def load(cls, state):
        self = cls.__new__(cls)
        self.nnz, self.n, self.first = state["nnz"], state["n"], state["first"]
        self.on, self.off, self.reference = (np.array(state[k]) for k in ("on", "off", "reference"))
        self._measure()
        return self


def _norm(x):
    return math.sqrt(x @ x)


def smallest_eigenvalue(plan, data, rng, steps=200, close=1e-3):
    """Return (estimate from above of the smallest eigenvalue of D^{-1} A, products spent), by Lanczos's method.

    D^{-1} A is self-adjoint in the product weighted by D. Stops once the estimate falls by less than `close`
    of itself in ten steps. None where A is not symmetric, with a positive diagonal.
    """
    data = data.astype(float, copy=False)
    system, facts = plan.system(data)
    skew, _, lowest, total = _array.host(*facts)
    if not (skew <= _SKEW and lowest > 0 and math.isfinite(total)):
        return None, 0
    xp = _array.namespace(data)
    k, d = kernels("relax", xp), system.diagonal
    v = plan.sorted(_array.like(xp, rng.standard_normal(plan.n), _array.device(data), xp.float64))
    v = v / xp.sqrt(xp.sum(d * v * v))
    before, beside, diagonal, off, last = xp.zeros_like(v), 0.0, [], [], math.inf
    for step in range(1, min(steps, plan.n) + 1):
        low, up = k.products(system, v)
        w = v + low + up - beside * before
        alpha = _array.host(xp.sum(d * w * v))
        w = w - alpha * v
        beside = math.sqrt(max(_array.host(xp.sum(d * w * w)), 0.0))
        diagonal.append(alpha)
        if step % 10 == 0 or beside < 1e-12 or step == plan.n:
            T = np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1)
            least = float(np.linalg.eigvalsh(T)[0])
            if beside < 1e-12 or last - least <= close * abs(least):
                break
            last = least
        off.append(beside)
        before, v = v, w / beside
    else:
        least = last
    return least, step
