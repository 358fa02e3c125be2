"""What the unbalanced solver returns."""

from numopt._result import Result, result_class
from numopt.ot._plan import TransportPlan


@result_class
class UnbalancedResult(Result):
    """An unbalanced entropic plan with its certificate.

    Attributes
    ----------
    f, g : ndarray of shape (n,), (m,)
        Potentials in units of the cost; the plan is exp((f_i + g_j - C_ij) / reg), its marginals are
        a exp(-f / rho) and b exp(-g / rho). (With ``reg_type="kl"``, these f and g are shifted by reg log a and
        reg log b from the ones of the plan a_i b_j exp((f_i + g_j - C_ij) / reg).) For a zero weight, the
        c-transform of the other potential.
    reg : float
        The regularisation used, in units of the cost.
    rho : (float, float)
        The penalties of the row and the column marginals, in units of the cost.
    value : float
        The objective at the plan; a marginal with rho = inf counts as met.
    dual_value : float
        The dual objective at f, g: never above the optimal value, up to rounding.
    cost : float
        <C, P>.
    mass : float
        sum P, the mass that is transported.
    marginal_error : float
        l1 distance of both marginals of the plan from those that the potentials ask for, relative to
        `mass` (or to 1e-9 of the sum of a or b, the smaller, if that is more), from every entry of the plan: the
        gradient of the dual. Zero at the solution and only there.
    n_passes, n_newton, n_cg, nnz : int
        Passes over the cost, Newton steps, conjugate-gradient steps, entries extracted last (0: none).
    """

    f: object
    g: object
    reg: float
    rho: tuple
    value: float
    dual_value: float
    cost: float
    mass: float
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
        p, (f, g) = self._problem.whole, self._ordered()
        marginals = (
            p.xp.astype(p.units * p.xp.where(side.w > 0, side.target(x), 0.0), self.f.dtype)
            for side, x in zip((p.rows, p.columns), p.wide(f, g), strict=True)
        )
        return TransportPlan(p.xp, p.base.cost, *p.returned(f, g), p.reg, *marginals, p.base.transposed)

    @property
    def gap(self):
        """Primal minus dual value: a rigorous bound of the suboptimality, from one pass, two if a rho is inf.

        It is rho KL(P 1 | a exp(-f / rho)) plus the same for the columns, so it is never negative and has no
        cancellation.
        """
        if "gap" not in self._cache:
            self._cache["gap"] = self._problem.gap(*self._ordered())
        return self._cache["gap"]

    def _ordered(self):
        """Return the potentials of the problem as it was solved, in its order."""
        p, f, g = self._problem, self.f, self.g
        return p.returned(*((g, f) if p.base.transposed else (f, g)), sign=-1)
