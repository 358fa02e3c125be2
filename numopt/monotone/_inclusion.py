"""Monotone inclusions 0 in F(z) + G(z): the problem, its residual and its certificate."""

import math
from dataclasses import dataclass, field

import numpy as np

from numopt._array import default_rng, device, float_dtype, host, namespace
from numopt._check import Checks, integer, one_of, positive_scalar
from numopt.exceptions import InvalidInputError, InvalidTypeError, PerformanceWarning, warn
from numopt.monotone._inclusion_result import InclusionResult
from numopt.monotone._product import check_prox
from numopt.monotone._prox import Free
from numopt.monotone._tolerance import at_least_rounding, expect_norm, expect_real

KINDS = "monotone", "cocoercive", "bilinear"
NOISE = 1e-9  # of |F| at the start: smaller differences of F prove nothing
SLACK = 1.02  # what a constant may be short of: some are estimates
NEGATIVE = 1e-8  # <F(u) - F(v), u - v> below -NEGATIVE |..| |..| is no monotone operator's,
ROUNDING = 1e-15  # beyond what is left of F(u), F(v), L u and L v when they cancel
LOST, OVERSTATED = 1e-9, 1e6  # a residual of so little of L |z| is doubted where L is so much too large
FAR, REPEATED = 0.1, 3  # so far from cocoercive, so often, and the claim is dropped


@dataclass(slots=True, eq=False)
class Inclusion:
    """An operator with its prox; counts what is evaluated."""

    op: object
    prox: object
    xp: object
    device: object
    dtype: object
    start: object
    eta: float = 1.0
    scale: float = 1.0
    method: str = ""
    by_gap: bool = False
    claims: bool = False  # whether 1 / eta is the operator's own constant
    noise: float = 0.0
    contradictions: int = 0  # of cocoercivity
    told: bool = False
    last: tuple = (None, None)  # the state certified last, and the step from it
    counts: dict = field(default_factory=lambda: {"n_full": 0, "n_component": 0})

    @property
    def n(self):
        """The number of components."""
        return self.op.n

    def full(self, z):
        """Return F(z)."""
        self.counts["n_full"] += 1
        self.counts["n_component"] += self.n
        Fz = self.op.full(z)
        if tuple(getattr(Fz, "shape", ())) != tuple(z.shape):
            raise InvalidInputError(f"op.full returns no vector of shape {z.shape}: one is expected; return F(z)")
        return Fz

    def difference(self, z, w, index, weights):
        """Return sum_k weights_k (F_{index_k}(z) - F_{index_k}(w))."""
        self.counts["n_component"] += 2 * len(index)
        return self.op.batch_difference(z, w, index, weights)

    def residual(self, z, Fz, eta=None):
        """Return the natural residual, a scalar on the device."""
        eta = self.eta if eta is None else eta
        return self.xp.linalg.vector_norm(self.forward_backward(z, Fz, eta)) / eta

    def forward_backward(self, z, Fz, eta):
        """Return the step of the forward-backward method; its length over eta is the natural residual."""
        return self.prox(z - eta * Fz, eta) - z

    def gap(self, z, Fz):
        """Return a bound of the duality gap, inf where there is none."""
        if not (hasattr(self.prox, "least") and getattr(self.op, "saddle", False)):
            return math.inf
        return self.xp.sum(Fz * z) - self.prox.least(Fz)

    def bounded(self):
        """Say whether there is a gap at every point, and not only where F points into the set."""
        one = self.xp.ones_like(self.start)
        return all(math.isfinite(v) for v in host(self.gap(self.start, one), self.gap(self.start, -one)))

    def measure(self, z, Fz):
        """Return what `tol` judges: the residual, or the gap, relative to that at the start."""
        return (self.gap(z, Fz) if self.by_gap else self.residual(z, Fz)) / self.scale

    def compare(self, z, w, Fz, Fw, cocoercive=None):
        """Return ``|F(w) - F(z)|``, ``|w - z|``, their inner product, and why F is not monotone if that is seen.

        What contradicts the Lipschitz constant that the operator claims is told once; what contradicts that it is
        cocoercive with the constant `cocoercive`, if it claims to be, is counted as well.
        """
        xp, d, e = self.xp, w - z, Fw - Fz
        norm = xp.linalg.vector_norm
        change, way, inner, F, size = host(norm(e), norm(d), xp.sum(d * e), norm(Fz) + norm(Fw), norm(z) + norm(w))
        if not (math.isfinite(change) and change > self.noise):
            return change, way, inner, ""
        if inner < -(NEGATIVE * change + ROUNDING * (F + size / self.eta)) * way:
            return change, way, inner, f"<F(u) - F(v), u - v> = {inner:.3g} for two iterates: F is not monotone"
        if self.claims and self.eta * change > SLACK * way:
            self.tell(f"op.lipschitz is {1 / self.eta:.3g}, but F grows by {change / way:.3g} between two iterates: "
                      f"steps are shortened where it is noticed; give a larger constant")  # fmt: skip
        if cocoercive and getattr(self.op, "kind", "") == "cocoercive" and cocoercive * inner < change**2 / SLACK:
            if cocoercive * inner < FAR * change**2:
                self.contradictions += 1
            else:
                self.tell(f"by its constants F is cocoercive with {cocoercive:.3g}, between two iterates with "
                          f"{change**2 / inner:.3g}: give larger constants")  # fmt: skip
        return change, way, inner, ""

    def tell(self, what):
        """Warn of what the operator claims wrongly, once a run."""
        if not self.told:
            self.told = True
            warn(what, PerformanceWarning)

    def certificate(self, state):
        """Evaluate F anew at what will be returned."""
        z = self.xp.astype(self.final(state), self.xp.float64)
        Fz = self.full(z)
        step = self.forward_backward(z, Fz, self.eta)
        self.last, residual, gap = (state, step), self.xp.linalg.vector_norm(step) / self.eta, self.gap(z, Fz)
        name, judged = ("relative_gap", gap) if self.by_gap else ("relative_residual", residual)
        return {name: judged / self.scale, "residual": residual, "gap": gap}

    def final(self, state):
        """Return the point in the caller's dtype."""
        return self.xp.astype(state, self.dtype, copy=False)

    def info(self, **more):
        """Return the counters with what a method adds."""
        return dict(self.counts) | more

    def finish(self, state, info, common):
        """Return the result."""
        z, split = self.final(state), getattr(self.op, "split", None)
        x, y = (None, None) if split is None else (z[:split], z[split:])
        found = common["certificate"]
        return InclusionResult(
            **common, z=z, x=x, y=y, residual=found["residual"], residual_eta=self.eta,
            displacement=None if common["success"] else self.displacement(state), gap=found["gap"],
            lipschitz=1 / self.eta, step=float(info.get("step", 0.0)), **self.counts,
            epochs=self.counts["n_component"] / self.n, n_restarts=int(info.get("n_restarts", 0)), method=self.method,
        )  # fmt: skip

    def displacement(self, state):
        """Return the direction of the step from `state`, or None."""
        at, step = self.last
        length = host(self.xp.linalg.vector_norm(step)) if at is state else 0.0
        return self.xp.astype(step / length, self.dtype, copy=False) if 0.0 < length < math.inf else None


def inclusion(op, z0, prox, tol, by_gap=False):
    """Check an operator with its start; estimate what it does not say of itself."""
    for name in ("full", "dim", "n"):
        if not hasattr(op, name):
            raise InvalidTypeError(
                f"op is {type(op).__name__}: an operator with the attribute {name} is expected; "
                f"see numopt.monotone.FiniteSumOperator"
            )
    dim = integer("op.dim", op.dim, low=1)
    integer("op.n", op.n, low=1)
    one_of("op.kind", getattr(op, "kind", "monotone"), KINDS)
    prox = check_prox(prox if prox is not None else getattr(op, "prox", None), dim)
    own = getattr(op, "xp", None)
    if z0 is None:
        xp, place, dtype = own or namespace(), getattr(op, "device", "cpu"), getattr(op, "dtype", None)
        start = xp.zeros((dim,), dtype=xp.float64, device=place)
        dtype = dtype or xp.float64
    else:
        checks = Checks({"z0": z0})
        if own is not None and checks.xp is not own:
            raise InvalidTypeError("z0 is an array of another library than op: convert one of them")
        start = checks.vector("z0", size=dim)
        checks.settle()
        xp, place = checks.xp, device(start)
        dtype = getattr(op, "dtype", None) or float_dtype(xp, z0=start)
        start = xp.astype(start, xp.float64)
    p = Inclusion(op, prox, xp, place, dtype, prox(start, 1.0))
    if tuple(getattr(p.start, "shape", ())) != (dim,):
        raise InvalidInputError(f"prox(z0, 1) is no vector of shape ({dim},): one is expected; return what z0 becomes")
    expect_real("prox", p.start, xp)
    F0 = p.full(p.start)
    expect_norm("op.full(z0)", xp, expect_real("op.full", F0, xp))
    L = getattr(op, "lipschitz", None)
    p.eta = 1 / (estimate_lipschitz(p, F0) if L is None else positive_scalar("op.lipschitz", L))
    p.claims = L is not None
    norm = xp.linalg.vector_norm
    first, gap, size, length = host(p.residual(p.start, F0), p.gap(p.start, F0), norm(F0), norm(p.start))
    p.noise = NOISE * size
    p.by_gap = by_gap and p.bounded()
    if not math.isfinite(first):
        raise InvalidInputError("op.full(z0) is not finite: a finite start is expected; pass another z0")
    if first > 0 and isinstance(p.prox, Free) and _constant(op):
        raise InvalidInputError("op.component_lipschitz is 0 everywhere: a constant operator that is not 0 has no zero")
    if p.claims and first <= LOST * length * L and size > 0:
        growth = estimate_lipschitz(p, F0)
        if OVERSTATED * growth < L:
            raise InvalidInputError(
                f"op.lipschitz is {L:.3g}, but F grows by {growth:.3g} around z0, where steps of F / op.lipschitz are "
                f"lost in rounding: a constant of that size is expected; give it, or None to have it estimated"
            )
    first, slope = (gap, size) if p.by_gap else (first, 1 / p.eta)
    p.scale = at_least_rounding(first, float(xp.finfo(dtype).eps) * slope * length, tol)
    return p


def _constant(op):
    constants = getattr(op, "component_lipschitz", None)
    return constants is not None and not np.any(host(constants))


def estimate_lipschitz(p, F0, rounds=8):
    """Return the growth of differences of F under power iteration from the start: from below."""
    xp = p.xp
    d = xp.asarray(default_rng(0).standard_normal(p.op.dim), device=p.device)
    best, length = 0.0, 1.0 + host(xp.linalg.vector_norm(p.start))
    for _ in range(rounds):
        d = d * (1e-3 * length / xp.linalg.vector_norm(d))
        change = p.full(p.start + d) - F0
        growth = host(xp.linalg.vector_norm(change) / xp.linalg.vector_norm(d))
        if not (math.isfinite(growth) and growth > 0):
            break
        if abs(growth - best) <= 0.02 * growth:
            best = max(best, growth)
            break
        best, d = max(best, growth), change
    return best if best > 0 else 1.0
