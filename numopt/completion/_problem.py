"""The checked problem: its entries, its objective, its certificate."""

import dataclasses
import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from numopt._array import clip, host, is_numpy
from numopt.completion._data import Side
from numopt.completion._factors import NotFiniteError, finite, inner
from numopt.completion._nuclear import nuclear_gap
from numopt.completion._unique import FLAT, ambiguity, conditioning, open_to_outliers

TUNING = 1.345 * 1.4826  # Huber's constant on the scale of the median absolute residual
_HOLD = 10.0  # how much stronger all entries of a line, at Huber's threshold, are than the ridge
AMPLIFIED = 10.0  # times the residual: where the error is larger, it is judged itself
PATIENCE = 3  # rises of the validation error in a row that end a run


class State(NamedTuple):
    """The point X = U V^T + b 1^T + 1 c^T, in units of `Problem.scale`."""

    U: object
    V: object
    b: object
    c: object


@dataclass(frozen=True)
class Problem:
    """Minimise sum w loss(y_ij - b_i - c_j - u_i.v_j) + ridge terms; entries are centred and scaled to RMS 1.

    Rows are the shorter side: `flipped` says that they are the caller's columns.
    """

    xp: object
    kernels: SimpleNamespace
    device: object
    rows: Side
    columns: Side
    shape: tuple
    flipped: bool
    rank: object  # the largest, or "auto"
    ridge: float
    counted: bool  # whether the ridge of a row is multiplied by its weight
    bias_ridge: float | None  # None: no biases
    robust: bool
    mean: float
    scale: float
    norm: float  # of sqrt(w) y
    density: float
    tol: float
    held: object = None  # validation entries (rows, columns, values), or None
    kept: dict[object, Any] = field(default_factory=dict)  # what was computed last at a point

    @property
    def dtype(self):
        """The dtype of the factors."""
        return self.rows.y.dtype

    def empty(self, *shape):
        """Return an array without data, the kernels' sign for "none"."""
        return self.xp.empty(shape or (0,), dtype=self.dtype, device=self.device)

    def draw(self, rng, *shape):
        """Return standard normal numbers, drawn on the host."""
        return self.xp.asarray(rng.standard_normal(shape), dtype=self.dtype, device=self.device)

    def zeros(self, rank=0):
        """Return the state X = 0."""
        m, n = self.shape
        make = {"dtype": self.dtype, "device": self.device}
        b, c = (self.xp.zeros((size,), **make) if self.bias_ridge is not None else self.empty() for size in (m, n))
        return State(self.xp.zeros((m, rank), **make), self.xp.zeros((n, rank), **make), b, c)

    def half(self, side, V, ridge, *, keep=False, base=None, summed=True):
        """Solve for the rows of a side without biases, with one ridge for all; return (U, sum w r^2, kept, rhs).

        The sum is 0 unless `summed`.
        """
        base = self.empty(0, V.shape[1]) if base is None else base
        none, ridges = self.empty(), np.full(V.shape[1], float(ridge))
        U, sums, kept, rhs = self.kernels.half_step(side, V, none, ridges, none, base, keep, summed)
        return U, float(host(self.xp.sum(sums))), kept, rhs

    def gradient(self, side, U, V, offset=None, *, pushed=True):
        """Return (g, |rhs|^2 in all or 0 unless `pushed`, sum w r^2): g_i = sum w r_ij v_j."""
        g, size, sums = self.kernels.gradient(side, U, V, self.empty() if offset is None else offset, pushed)
        total, square = host(self.xp.sum(size), self.xp.sum(sums))
        return g, total, square

    def augmented(self, state):
        """Return factors with biases as columns: U' = [U b 1], V' = [V 1 c], so that X = U' V'^T."""
        if self.bias_ridge is None:
            return state.U, state.V
        xp, b, c = self.xp, state.b[:, None], state.c[:, None]
        return xp.concat((state.U, b, xp.ones_like(b)), axis=1), xp.concat((state.V, xp.ones_like(c), c), axis=1)

    def residuals(self, state, side=None):
        """Return y - x of each entry of a side, the rows by default."""
        U, V = self.augmented(state)
        if side is None or side is self.rows:
            return self.kernels.residuals(self.rows, U, V, self.empty())
        return self.kernels.residuals(self.columns, V, U, self.empty())

    def weighted(self, state, least=0.0):
        """Return the problem with Huber's weights at `state`, and its threshold, at least `least`."""
        if not self.robust:
            return self, None
        for side in (self.rows, self.columns):
            self.totals(side)  # kept: a ridge by counts is about the weights given, not these
        r, across = self.residuals(state), self.residuals(state, self.columns)
        delta = max(self.loss_scale(r), least)
        sides = []
        for side, value in ((self.rows, r), (self.columns, across)):
            size = self.xp.abs(finite(value))
            w = delta / self.xp.where(size > delta, size, self.xp.full_like(size, delta))
            sides.append(side._replace(weights=w * side.weights if side.weights.shape[0] else w))
        return dataclasses.replace(self, rows=sides[0], columns=sides[1]), delta

    def loss_scale(self, r):
        """Return Huber's threshold for these residuals, above what would let a ridge outweigh the pulls it bounds."""
        ridge, (m, n) = max(self.ridge, self.bias_ridge or 0.0), self.shape
        held = _HOLD * ridge / (1.0 if self.counted else self.density * math.sqrt(m * n))
        return max(TUNING * median(self.xp, self.xp.abs(r)), held, 1e-10)

    def robust_residual(self, state):
        """Return the median size of the residuals over that of the data."""
        return median(self.xp, self.xp.abs(self.residuals(state))) / self._usual()

    def _usual(self):
        """Return the median size of the data, 1 if it is 0."""
        if "median" not in self.kept:
            self.kept["median"] = median(self.xp, self.xp.abs(self.rows.y)) or 1.0
        return self.kept["median"]

    def _cut(self, r, delta):
        """Return |sqrt(w) r|^2 of residuals that are cut at Huber's threshold, as their pulls are."""
        r, w = clip(r, -delta, delta), self.rows.weights
        return host(inner(r * w if w.shape[0] else r, r))

    def ridges(self, side, state_size):
        """Return (ridge of each coordinate, its factor for each row or empty) of a half step."""
        ridge = [self.ridge] * state_size + ([] if self.bias_ridge is None else [self.bias_ridge])
        return np.asarray(ridge, dtype=float), self.totals(side) if self.counted else self.empty()

    def totals(self, side):
        """Return the weight of each row of a side."""
        name = "row weights" if side is self.rows else "column weights"
        if name not in self.kept:
            make = {"dtype": self.dtype, "device": self.device}
            if side.weights.shape[0]:
                one = self.xp.ones((max(self.shape), 1), **make)
                self.kept[name] = self.kernels.multiply(side, side.weights, one)[:, 0]
            else:
                self.kept[name] = self.xp.asarray(side.indptr[1:] - side.indptr[:-1], **make)
        return self.kept[name]

    def certificate(self, state):
        """Return what `run` judges, recomputed from the entries."""
        if self.kept.get("state") is not state:
            try:
                found = self._certificate(state)
            except NotFiniteError:
                found = dict.fromkeys(("rel_residual", "stationarity"), math.nan)
            self.kept.update(state=state, certificate=found)
        return self.kept["certificate"]

    def _certificate(self, state):
        problem, delta = self.weighted(state)
        U, V = problem.augmented(state)
        k, norm = state.U.shape[1], self.norm
        parts = {}
        # Whether nothing but residuals pulls; biases by squares are judged as if a ridge did.
        free = not self.penalised or (self.robust and not (self.ridge or self.bias_ridge))
        if self.robust:  # what a gradient is compared with is cut as well, lest it be outliers, fitted or not
            norm = math.sqrt(self._cut(self.rows.y, TUNING * self._usual() if free else delta))
        for name, side, one, two in (("u", problem.rows, U, V), ("v", problem.columns, V, U)):
            if self.robust and k and not self.penalised:  # an outlier's direction may be 1e4 times the others
                two, turn = self.kernels.orthonormal(finite(two))
                one = one @ self.xp.matrix_transpose(turn)
            square, rhs2, r2 = pull(problem, side, one, two, k, name == "u")
            if self.robust and k:
                rhs2 = min(rhs2, self.density * norm**2 * host(inner(two, two)) / two.shape[1])
            parts[f"stationarity_{name}"] = math.sqrt(square / rhs2) if rhs2 > 0 else math.sqrt(square)
        rel = math.sqrt(max(r2, 0.0)) / norm if norm > 0 else 0.0
        if self.robust:
            r = self.residuals(state)
            rel, r2 = median(self.xp, self.xp.abs(r)) / self._usual(), self._cut(r, delta)
        if free and r2 > 0:
            parts = {name: value * norm / math.sqrt(r2) for name, value in parts.items()}
        stationarity = max(parts.values())
        fits = rel <= self.tol and (free or self.robust)
        first = {"rel_residual": rel} if fits else {"stationarity": stationarity}
        rest = {"rel_residual": rel, "stationarity": stationarity} | parts
        if not self.penalised and not self.robust:
            # Also of points that are far from done, lest one of them be preferred; so with a flat direction, once seen.
            met, open_lines = next(iter(first.values())) <= self.tol, ambiguity(self, k)
            if met:
                flat, factor = conditioning(self, state, sure=not open_lines)
                error = factor * rel if rel > 0 else 0.0
                rest |= {"local_conditioning": flat, "error_estimate": error}
                # Validation ends runs early: of directions without curvature it keeps what predicts.
                self.kept["flat at"] = k if flat < FLAT and self.held is None else None
                if rel <= self.tol and factor > AMPLIFIED:
                    first = {"error_estimate": error} | first
            rest |= {"ambiguity": open_lines or float(self.kept.get("flat at") == k)}
        if self.ridge == 0 and (self.robust or self.penalised):  # curvature is not looked at, counts are
            rest |= {"ambiguity": ambiguity(self, k + (self.bias_ridge == 0))}
        if self.robust and fits:  # and of points far from done, as above
            rough = self._lagging(state, delta, free)
            self.kept["open"] = rough if rough or self.penalised else open_to_outliers(self, state)
        if self.kept.get("open"):
            rest |= {"ambiguity": self.kept["open"]}
        if self.convex and stationarity <= self.tol:
            rest |= {"nuclear_gap": nuclear_gap(self, state)}
        if self.held is not None:
            first = {"rises_left": self._rises_left(state)} | first
        if rest.get("ambiguity", 0.0) > self.tol:  # nothing else counts then
            first = {"ambiguity": rest["ambiguity"]} | first
        return first | rest

    def _lagging(self, state, delta, free):
        """Return how many lines fit no more entries than they have unknowns, which they can do with wrong ones too.

        A ridge chooses where there are too few: those that fit all of their entries count only in a `free` problem.
        """
        xp, close = self.xp, 10 * max(delta, self.tol * self._usual())
        one = xp.ones((max(self.shape), 1), dtype=self.dtype, device=self.device)
        count, unknowns = 0, state.U.shape[1] + (self.bias_ridge is not None)
        for side in (self.rows, self.columns):
            fits = xp.astype(xp.abs(self.residuals(state, side)) <= close, self.dtype)
            found = np.asarray(host(self.kernels.multiply(side, fits, one)[:, 0]))
            size = np.diff(side.indptr)
            count += np.sum((found <= unknowns) & ((size > 0) if free else (found < size)))
        return float(count)

    def _rises_left(self, state):
        """Return how many times the validation error has yet to rise, since it was that of `state`, to end the run."""
        error = self.validation_rmse(state)
        best, rises = self.kept.get("validation", (math.inf, 0)) if error else (0.0, PATIENCE)  # none can be smaller
        return float(PATIENCE if not error <= best * (1 + 1e-9) else max(PATIENCE - rises, 0))

    def validation_rmse(self, state):
        """Return the weighted root mean square error on the entries held out, in the solver's units.

        With Huber's loss errors are cut at three of their robust standard deviations: it is not about outliers.
        """
        xp, held = self.xp, self.held
        U, V = self.augmented(state)
        x = xp.sum(xp.take(U, held.rows, axis=0) * xp.take(V, held.columns, axis=0), axis=1)
        off, w = held.y - x, xp.ones_like(x) if held.w is None else held.w
        if self.robust:
            cap = 3 * 1.4826 * median(xp, xp.abs(off)) or math.inf
            off = clip(off, -cap, cap)
        return host(xp.sum(w * off**2) / xp.sum(w)) ** 0.5

    @property
    def plain(self):
        """Whether it is nothing but least squares on all entries."""
        return not (self.penalised or self.robust or self.held)

    @property
    def convex(self):
        """Whether a large enough rank makes it least squares with the nuclear norm."""
        return self.ridge > 0 and not (self.counted or self.bias_ridge is not None or self.robust or self.held)

    @property
    def penalised(self):
        """Whether a ridge makes the minimiser differ from an interpolation."""
        return self.ridge > 0 or self.bias_ridge is not None


def pull(problem, side, one, two, k, is_row):
    """Return (|g|^2, |rhs|^2, sum w r^2) of the gradient g of one side, the ridge included."""
    xp = problem.xp
    g, rhs2, r2 = problem.gradient(side, one, two)
    ridge, scale = problem.ridges(side, k)
    g = g[:, : k + 1] if problem.bias_ridge is not None and is_row else g
    if problem.bias_ridge is not None and not is_row:
        g = xp.concat((g[:, :k], g[:, k + 1 :]), axis=1)
        one = xp.concat((one[:, :k], one[:, k + 1 :]), axis=1)
    pull = one[:, : g.shape[1]] * xp.asarray(ridge, dtype=problem.dtype, device=problem.device)
    g = g - (pull * scale[:, None] if scale.shape[0] else pull)
    return host(xp.sum(g * g, dtype=xp.float64)), rhs2, r2


def median(xp, x):
    """Return the median of a vector, a float."""
    middle = x.shape[0] // 2
    ordered = np.partition(x, middle) if is_numpy(xp) else xp.sort(x)
    return host(ordered[middle])
