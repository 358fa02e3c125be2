"""What the entropic solvers return."""

import math

from numopt._array import host
from numopt._result import Result, result_class
from numopt.ot._held import visible
from numopt.ot._plan import TransportPlan


@result_class
class TransportResult(Result):
    """An entropic transport plan with its certificate.

    Attributes
    ----------
    f, g : ndarray of shape (n,), (m,)
        Potentials in units of the cost; the plan is exp((f_i + g_j - C_ij) / reg). For a zero weight, the
        c-transform of the other potential.
    reg : float
        The regularisation used, in units of the cost.
    value : float
        <C, P> + reg sum P (log P - 1) of the plan.
    dual_value : float
        <a, f> + <b, g> - reg sum P: never above the optimal value, up to rounding.
    cost : float
        <C, P>.
    marginal_error : float
        l1 violation of both marginals relative to the mass, from every entry of the plan.
    n_passes, n_newton, n_cg, nnz : int
        Passes over the cost, Newton steps, conjugate-gradient steps, entries extracted last (0: none).

    Notes
    -----
    By the envelope theorem f, g and the plan are the derivatives of the optimal value by a, b (up to a
    constant each) and C, exact up to the marginal error.
    """

    f: object
    g: object
    reg: float
    value: float
    dual_value: float
    cost: float
    marginal_error: float
    n_passes: int
    n_newton: int
    n_cg: int
    nnz: int
    _problem: object
    _cache: dict

    @property
    def plan(self):
        """`TransportPlan`: rows, products and conversions; never formed unasked."""
        p, f, g = self._inner()
        f = f + p.reg * math.log(p.units)
        return TransportPlan(p.xp, p.cost, f, g, p.reg, p.a * p.units, p.b * p.units, p.transposed)

    @property
    def rounded_cost(self):
        """<C, R> of the rounded plan R, which is feasible: an upper bound of the unregularised value.

        R completes the plan by a little mass everywhere: infinite where pairs are forbidden and mass is missing. Exact
        up to the rounding of the exponents, about u max|C| / reg of the mass.
        """
        return self._rounded()[0]

    @property
    def gap(self):
        """Value of the rounded plan minus dual value: a rigorous bound of the suboptimality."""
        return self._rounded()[1] - self.dual_value

    @property
    def lp_lower_bound(self):
        """Value of a feasible dual point of the unregularised problem: a lower bound of its value."""
        if "lower" not in self._cache:
            p, _, g = self._inner()
            g = p.xp.where(p.b > 0, g, -math.inf)
            f = p.xp.where(p.a > 0, p.kernels.c_transform(p.cost, g), 0.0)
            g = p.xp.where(p.b > 0, g, 0.0)
            self._cache["lower"] = p.units * host(p.dot(p.a, f) + p.dot(p.b, g))
        return self._cache["lower"]

    def _inner(self):
        """Return the problem as it was solved, of unit mass, with its potentials."""
        p = self._problem
        f, g = (self.g, self.f) if p.transposed else (self.f, self.g)
        return p, f - p.reg * math.log(p.units), g

    def _rounded(self):
        """Round to the feasible plan diag(x) P diag(y) + u v^T of Altschuler, Weed and Rigollet (2017)."""
        if "rounded" not in self._cache:
            p, f, g = self._inner()
            xp, k = p.xp, p.kernels
            f, g = visible(p, f, g)
            a, b = xp.astype(p.a, xp.float64), xp.astype(p.b, xp.float64)
            # a little less than enough: rounding of the shifted exponents must not bring P above a or b
            spare = 2 * float(xp.finfo(f.dtype).eps) * (p.reg + max(map(abs, p.extent)))
            rows, _, _ = k.plan_sums(p.cost, f, g, p.reg)
            f = xp.where(p.a > 0, f + p.reg * _log_shrink(xp, a, rows) - spare, f)
            _, columns, _ = k.plan_sums(p.cost, f, g, p.reg)
            g = xp.where(p.b > 0, g + p.reg * _log_shrink(xp, b, columns) - spare, g)
            rows, columns, _ = k.plan_sums(p.cost, f, g, p.reg)
            u, v = xp.clip(a - rows, 0.0, None), xp.clip(b - columns, 0.0, None)
            missing = max(host(xp.sum(u)), 1e-300)
            self._cache["rounded"] = _rounded_value(p, k.rounded_sums(p.cost, f, g, p.reg, u / missing, v))
        return self._cache["rounded"]


def _log_shrink(xp, target, found):
    """Log min(target / found, 1), 0 where nothing was found."""
    ratio = xp.where(found > 0, target / xp.where(found > 0, found, 1.0), 1.0)
    return xp.log(xp.where((ratio < 1) & (ratio > 0), ratio, 1.0))


def _rounded_value(p, sums):
    cost, entropy = host(*sums)
    return p.units * cost, p.units * (cost + p.reg * (entropy + math.log(p.units)))
