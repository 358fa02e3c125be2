"""The entropic transport problem: checked data, its scale, and the certificate that judges every solver."""

import math
from dataclasses import dataclass, field, replace

from numopt._array import device, host, is_cupy, is_numpy, like, namespace, turned
from numopt._check import Checks, flag, one_of, positive_scalar, scalar
from numopt._kernels import kernels
from numopt.exceptions import InvalidInputError, PrecisionWarning, warn
from numopt.ot._held import expand, hold_out, stranded, visible
from numopt.ot._limits import LEAST, check_rounding, check_spread, check_values, divided
from numopt.ot._median import COSTS, sample_median

_REACHED = 16  # times the floor: what plans reach that have but an entry or two in a row, where no errors average out


@dataclass(frozen=True)
class TransportProblem:
    """Minimise <C, P> + reg sum P (log P - 1) over plans with row sums a and column sums b.

    `cost` is the tuple ``(C, X, YT, kind)`` of the kernels. `whole` is the problem before weights that are
    zero or negligible were held out, `rows` and `columns` are the indices of those that stayed.
    `transposed` says that a and b changed roles, so that a column-major C is read along its rows.
    """

    xp: object
    a: object
    b: object
    cost: tuple
    mass: float
    units: float = 1.0  # what the caller's masses were divided by
    tol: float = math.nan
    reg: float = math.nan
    extent: tuple = ()  # smallest and largest finite cost
    start: tuple = ()  # row minima of C, and column minima of C minus these: a pair of potentials
    scale: float = math.nan  # the median cost above the smallest: the unit of the annealing
    transposed: bool = False
    note: str = ""
    rows: object = None
    columns: object = None
    whole: object = None
    memo: dict = field(default_factory=dict, compare=False)  # the last state judged, with its potentials

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name not in ("xp", "memo")}

    def __setstate__(self, state):
        vars(self).update(state, xp=namespace(state["a"]), memo={})

    @property
    def shape(self):
        return self.a.shape[0], self.b.shape[0]

    @property
    def kernels(self):
        return kernels("ot", self.xp)

    @property
    def floor(self):
        """The marginal error, relative to the mass, that rounding leaves: of the sums, and of (f + g - C) / reg.

        Measured: 0.03 to 0.05 times the largest rounding error of an exponent; a constant in the cost is felt whole.
        """
        (low, high), eps = self.extent, float(self.xp.finfo(self.a.dtype).eps)
        constant = max(0.0, min(abs(low), abs(high)) - (high - low))
        return eps * (0.6 + (0.05 * (high - low) + 0.3 * constant) / self.reg)

    def of_unit_mass(self):
        """Return the problem with weights that sum to 1."""
        a, b = (divided(self.xp, w, self.mass) for w in (self.a, self.b))
        whole = self.whole and self.whole.of_unit_mass()
        return replace(self, a=a, b=b, whole=whole, mass=1.0, units=self.mass, memo={})

    def thinned(self, step):
        """Return the problem on every `step`-th row, weights scaled to the whole mass: a rough copy."""
        if step <= 1:
            return self
        a = self.a[::step]
        C, X, YT, kind = self.cost
        C, X = C[::step, ...], self.xp.asarray(X[::step, ...], device=device(X), copy=True)
        return replace(self, a=a * (self.mass / host(self.xp.sum(a))), cost=(C, X, YT, kind))

    def dot(self, x, y):
        """Return the inner product of two vectors in float64."""
        xp = self.xp
        x, y = (v if v.dtype == xp.float64 else xp.astype(v, xp.float64) for v in (x, y))
        return xp.sum(x * y)

    def log_ratio(self, column_sums):
        """Return log(b / c), Sinkhorn's step; where c has underflowed, a long one."""
        xp = self.xp
        least = 1e3 * float(xp.finfo(column_sums.dtype).smallest_normal)
        return xp.log(self.b / xp.where(column_sums < least, least, column_sums))  # NaN stays

    def error(self, column_sums):
        """Return the l1 violation of b relative to the mass, on the device; the rows are exact."""
        return self.xp.sum(self.xp.abs(column_sums - self.b)) / self.mass

    def certificate(self, state):
        """Recompute the marginals and the values of the plan of (f, g) from every entry of the cost."""
        xp, whole = self.xp, self.whole or self
        f, g = self.potentials(state)
        rows, columns, paid = self.kernels.plan_sums(whole.cost, *visible(whole, f, g), self.reg)
        wide = [xp.astype(v, xp.float64) for v in (f, g, whole.a, whole.b)]
        f, g, a, b = wide
        total = self.reg * xp.sum(rows)
        units, shift = self.units, math.log(self.units)
        return {
            # nothing is added by potentials that are finite
            "marginal_error": (xp.sum(xp.abs(rows - a)) + xp.sum(xp.abs(columns - b))) / self.mass
            + 0.0 * (xp.sum(f) + xp.sum(g)),
            "value": units * (xp.sum(f * rows) + xp.sum(g * columns) + (shift - 1) * total),
            "dual_value": units * (xp.sum(f * a) + xp.sum(g * b) + shift * self.reg * self.mass - total),
            "cost": units * paid,
        }

    def potentials(self, state):
        """Return potentials of all rows and columns of the whole problem; f = None stands for f(g)."""
        if self.memo.get("state") is not state:
            f, g = state
            if f is None:
                f, _ = self.kernels.row_pass(self.cost, self.a, self.xp.zeros_like(self.a), g, self.reg, False)
            self.memo["potentials"] = (f, g) if self.whole is None else expand(self, f, g)
            self.memo["state"] = state
        return self.memo["potentials"]


def transport_problem(a, b, C=None, *, reg, X=None, Y=None, cost="sqeuclidean", reg_relative=False, tol=None,
                      turn=None):  # fmt: skip
    """Check the data of a transport problem and measure the cost in one pass.

    `turn` says whether a and b change roles; None: where that lets C be read as it lies.
    """
    one_of("cost", cost, tuple(COSTS))
    flag("reg_relative", reg_relative)
    positive_scalar("reg", reg, remedy="pass the regularisation in units of the cost")
    if tol is not None:
        scalar("tol", tol, low=0.0, remedy="pass a tolerance >= 0, or None")
    if (C is None) == (X is None and Y is None) or (X is None) != (Y is None):
        given = [name for name, x in (("C", C), ("X", X), ("Y", Y)) if x is not None]
        raise InvalidInputError(
            f"C, X, Y: {given or 'none of them'} given: a cost matrix C or two point clouds X and Y are "
            f"expected; pass C alone, or X and Y"
        )
    checks = Checks({"a": a, "b": b, "C": C, "X": X, "Y": Y})
    xp, a, b = checks.xp, checks.weights("a"), checks.weights("b")
    n, m = a.shape[0], b.shape[0]
    none = xp.empty((0, 0), dtype=checks.dtype, device=checks.device)
    swap = bool(turn)
    if C is None:
        X, Y = checks.matrix("X", shape=(n, None)), checks.matrix("Y", shape=(m, None))
        if X.shape[1] != Y.shape[1]:
            raise InvalidInputError(
                f"X has shape {X.shape} and Y {Y.shape}: points of one dimension are expected; give both "
                f"the same number of columns"
            )
        rows, columns = (Y, X) if swap else (X, Y)
        matrices = none, rows, turned(xp, columns), COSTS[cost]
    else:
        C = checks.matrix("C", shape=(n, m), ordered=False, tested=False)
        if turn is None and (is_numpy(xp) or is_cupy(xp)):
            swap = C.flags.f_contiguous and not C.flags.c_contiguous
        matrices = like(xp, C.T if swap else C, checks.device, checks.dtype), none, none, 0
    extents = checks.settle()
    if C is None:
        check_spread(xp, checks.dtype, extents, X.shape[1], cost)
    mass, other = extents["a"].total, extents["b"].total
    if abs(mass - other) > 1e-6 * mass:
        raise InvalidInputError(
            f"a sums to {mass:.7g} and b to {other:.7g}: equal masses are expected; normalise them, or use "
            f"numopt.ot.unbalanced_sinkhorn_newton or numopt.ot.partial_transport"
        )
    if swap:
        a, b, mass, other = b, a, other, mass
    note = ""
    if abs(mass - other) > 1e-13 * mass:
        b = b * (mass / other)
        rounding = max(1e-12, 16 * float(xp.finfo(checks.dtype).eps))
        if abs(mass - other) > rounding * mass:
            note = f"{'a' if swap else 'b'} was scaled by {mass / other!r} to the mass of {'b' if swap else 'a'}"
    p = TransportProblem(xp, a, b, matrices, mass, transposed=swap, note=note)
    limit = 1e-3 * min(1e-6, 1e-9 if tol is None else tol) * mass / (n + m)
    if min(extents["a"].low, extents["b"].low) <= limit:
        if C is not None:  # the pass that finds bad entries reads what is kept alone
            checks.recheck("C", posinf=True)
        small, p = p, hold_out(p, limit)
        if C is not None and stranded(p):
            p = hold_out(small, 0.0)
    return _measured(p, reg, reg_relative, tol, checks)


def _measured(p, reg, reg_relative, tol, checks):
    """Return the problem with its extent, start, scale and regularisation."""
    rows, columns, high, low = p.kernels.cost_minima(p.cost)
    high, low, worst_row, worst_column = host(high, low, p.xp.max(rows), p.xp.max(columns))
    if not low > -math.inf:
        checks.recheck("C", posinf=True)  # raises for the entry that is NaN or -inf
    for name, worst, values in (("row", worst_row, rows), ("column", worst_column, columns)):
        if not worst < math.inf:
            index = _original_index(p, name, int(host(p.xp.argmax(values))))
            if p.transposed:
                name = "column" if name == "row" else "row"
            place = index if name == "row" else f":, {index}"
            raise InvalidInputError(
                f"C[{place}] is +inf in the whole {name}, which has mass: an allowed pair is expected; "
                f"set its weight to 0 or allow a pair"
            )
    if not high - low < 1e300:
        raise InvalidInputError(
            f"C has a range of {high - low}: one below 1e300 is expected; rescale C and reg by one factor"
        )
    median = sample_median(p, 2**12)
    unit = sample_median(p, 2**16) if reg_relative else 1.0
    if not unit > 0:
        raise InvalidInputError(
            f"reg_relative is True and the median cost is {unit:.3g}: a positive one is expected; pass reg itself"
        )
    reg = float(reg) * unit
    if not reg >= LEAST:
        raise InvalidInputError(
            f"reg is {reg:.3g}: at least {LEAST:.3g} is expected, lest its inverse overflow; multiply C and reg by "
            f"one factor"
        )
    eps = float(p.xp.finfo(p.a.dtype).eps)
    if not reg >= 64 * eps * (high - low):
        raise InvalidInputError(
            f"reg is {reg:.3g}: at least {64 * eps * (high - low):.3g} is expected, 64 rounding errors of the "
            f"range of the cost; raise it" + ("" if eps < 1e-10 else " or use float64")
        )
    scale = max(median - low, 0.0) or (high - low) or reg
    p = replace(p, reg=reg, extent=(low, high), start=(rows, columns), scale=scale)
    check_values(p.xp.finfo(p.a.dtype), p.extent, reg, p.mass)
    check_rounding(p.floor, p.extent, reg)
    if tol is None:
        tol = max(1e-9, _REACHED * p.floor)
    elif tol < p.floor:
        warn(
            f"tol = {tol:.3g} is below {p.floor:.2g}, the marginal error that rounding leaves for this range of "
            f"costs and reg = {reg:.3g}: raise tol or reg" + ("" if eps < 1e-10 else ", or use float64"),
            PrecisionWarning,
        )
    return replace(p, tol=float(tol))


def _original_index(p, name, position):
    kept = p.rows if name == "row" else p.columns
    return position if kept is None else int(host(kept)[position])
