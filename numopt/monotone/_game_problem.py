"""Matrix games: the checked problem, its certificate and its result."""

import math
from dataclasses import dataclass

from numopt._array import host, is_sparse
from numopt._check import Checks
from numopt._result import Result, result_class
from numopt.exceptions import InvalidTypeError
from numopt.monotone._matrix import Matrix, matrix
from numopt.monotone._tolerance import check_tolerance

EXTREMES = 1e-100, 1e100  # entries are rescaled beyond
OFFSET = 1e3  # times the spread of the entries: a larger mean is subtracted


@result_class
class GameResult(Result):
    """An equilibrium of a matrix game with its certificate.

    Attributes
    ----------
    x : ndarray of shape (n,)
        Mixed strategy of the player who chooses columns and minimises.
    y : ndarray of shape (m,)
        Mixed strategy of the player who chooses rows and maximises.
    value : float
        y.(A x).
    lower, upper : float
        min (A^T y) and max (A x), between which the value of the game lies, whatever x and y are.
    gap : float
        ``upper - lower``, in units of A.
    n_passes : int
        Products with A, or the part of it in use, and with its transpose, in pairs.
    n_restarts : int
        Restarts of the first-order method.
    polished : bool
        Whether the strategies come from the interior-point method.
    """

    x: object
    y: object
    value: float
    lower: float
    upper: float
    gap: float
    n_passes: int
    n_restarts: int
    polished: bool


@dataclass(frozen=True, slots=True, eq=False)
class Game:
    """The game ``unit A + shift``; `scale` is the largest distance of an entry of A from the mean of A."""

    A: Matrix
    dtype: object
    scale: float
    unit: float
    shift: float

    def measure(self, x, y, Ax, ATy):
        """Return the gap of strategies, relative to the scale, from their products."""
        return (self.A.xp.max(Ax) - self.A.xp.min(ATy)) / self.scale

    def strategies(self, state):
        """Return (x, y) in the caller's dtype, and the same in float64 with sum 1."""
        xp = self.A.xp
        given = [xp.astype(xp.maximum(z, xp.zeros_like(z)) / xp.sum(z), self.dtype) for z in state]
        wide = [xp.astype(z, xp.float64) for z in given]
        return given, [z / xp.sum(z) for z in wide]

    def certificate(self, state):
        """Recompute the gap from every entry of A."""
        xp, (x, y) = self.A.xp, self.strategies(state)[1]
        Ax, ATy = self.A.products(x, y)
        return {
            "relative_gap": self.measure(x, y, Ax, ATy),
            "gap": self.unit * (xp.max(Ax) - xp.min(ATy)),
            "lower": self.unit * xp.min(ATy) + self.shift,
            "upper": self.unit * xp.max(Ax) + self.shift,
            "value": self.unit * xp.sum(y * Ax) + self.shift,
        }

    def finish(self, state, info, common):
        """Return the result; `info` is that of the last iterate."""
        (x, y), _ = self.strategies(state)
        kept = {name: common["certificate"][name] for name in ("gap", "lower", "upper", "value")}
        counts = {"n_passes": int(info["n_passes"]), "n_restarts": int(info["n_restarts"])}
        return GameResult(**common, x=x, y=y, **kept, **counts, polished=bool(info["polished"]))

    def start(self, init):
        """Return strategies to start from: those of `init`, or even ones."""
        (m, n), xp = self.A.shape, self.A.xp
        if init is None:
            return self.A.vector(n, 1 / n), self.A.vector(m, 1 / m)
        pair = (init.x, init.y) if isinstance(init, GameResult) else init
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InvalidTypeError(f"init is {init!r}: a pair (x, y) is expected; pass one, or a result")
        checks = Checks({"init[0]": pair[0], "init[1]": pair[1], "A": self.A.A}, dtype=xp.float64)
        x, y = checks.weights("init[0]", size=n), checks.weights("init[1]", size=m)
        checks.settle()
        return x / xp.sum(x), y / xp.sum(y)

    def pure(self):
        """Return the best pure strategies as (x, y): each the safest against the other's best answer."""
        xp, (m, n) = self.A.xp, self.A.shape
        j = xp.argmin(_along(xp, self.A, 0, "max"))
        i = xp.argmax(_along(xp, self.A, 1, "min"))
        return _unit(xp, self.A, n, j), _unit(xp, self.A, m, i)


def game(A, tol):
    """Check a game; bring its entries into a range in which nothing overflows or cancels."""
    checks = Checks({"A": A})
    M = matrix(checks, "A", A)
    extent = checks.settle()["A"]
    check_tolerance(tol, checks.xp, checks.dtype)
    xp, sparse, entries = checks.xp, is_sparse(M.A), math.prod(M.shape)
    low, high = (extent.low, extent.high) if not sparse or M.A.nnz == entries else (
        min(extent.low, 0.0), max(extent.high, 0.0))  # fmt: skip
    values = M.A.data if sparse else M.A
    largest, unit, shift = max(-low, high), 1.0, 0.0
    if largest > 0 and not EXTREMES[0] < largest < EXTREMES[1]:
        unit = 2.0 ** max(math.frexp(largest)[1] - 1, -1022)
        values, low, high = xp.astype(values, xp.float64) / unit, low / unit, high / unit
    mean = host(xp.sum(values, dtype=xp.float64)) / entries
    scale = max(high - mean, mean - low)
    if not sparse and abs(mean) > OFFSET * scale > 0:
        values, shift = xp.astype(values, xp.float64) - mean, unit * mean
    if values is not (M.A.data if sparse else M.A):
        M = M.filled(values)
    return Game(M, checks.dtype, scale if scale > 0 else 1.0, unit, shift)


def _along(xp, A, axis, name):
    """Return the extremes along an axis, as a vector."""
    if not is_sparse(A.A):
        return getattr(xp, name)(A.A, axis=axis)
    rows = A.A if axis == 1 else type(A.A)(A.parts[3:], shape=A.shape[::-1])  # quicker than columns
    found = getattr(rows, name)(axis=1)
    return xp.reshape(found.toarray(), (-1,))


def _unit(xp, A, size, index):
    number = xp.arange(0, size, dtype=xp.int64, device=A.device)
    return xp.astype(number == index, xp.float64)
