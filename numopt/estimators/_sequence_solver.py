"""A solver for one linear system after another, in the manner of scikit-learn."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from numopt._array import default_rng
from numopt._check import integer, one_of, scalar
from numopt._given import as_array
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.relax import Tuner, sor, ssor_pcg

_KEPT = {"zero": 0, "previous": 1, "extrapolate": 2, "project": 5}  # solutions that a start needs


class SequenceSolver(BaseEstimator):
    """Solve a sequence of similar linear systems, and get faster on the way.

    Parameters
    ----------
    solver : {"ssor_pcg", "sor"}, default "ssor_pcg"
        Conjugate gradients with symmetric relaxation, for symmetric positive definite systems; or sweeps.
    policy : str, default "auto"
        How omega is chosen; see `numopt.relax.Tuner`.
    omega_range : tuple of float, default (1.0, 1.998)
        Within 0 and 2.
    start : {"previous", "zero", "extrapolate", "project"}, default "previous"
        Where an iteration starts: at the solution before; at 0; at ``2 x_{t-1} - x_{t-2}``; or at the best
        combination of the last five solutions in the norm of A (a product with A for each).
    rtol : float, default 1e-8
        Residual relative to b.
    max_iter : int, default 10000
        For one system.
    cost : {"work", "nit", "seconds"}, default "work"
        What is learnt from.
    context : None, int or list of (low, high), default None
        What is known of a system in advance; see `numopt.relax.Tuner`.
    random_state : int, numpy.random.Generator or None, default None
        Source of the draws.

    Attributes
    ----------
    x_ : ndarray of shape (n,)
        The last solution.
    result_ : numopt.relax.RelaxResult
        The last result, with its certificate.
    omega_ : float
        Its relaxation parameter.
    n_iter_ : int
        Its iterations.
    costs_ : list of float
        Of all systems since `fit`.
    tuner_ : numopt.relax.Tuner
        What learns.

    Notes
    -----
    What is fitted is the choice of omega, not labels: `fit` forgets, `partial_fit` solves a system and learns,
    `predict` solves one without learning. Matrices are sparse; the checks of scikit-learn for tables of samples do
    not apply. Cloning and pickling do.

    Cost and memory are those of the solver and of `numopt.relax.Tuner`, and up to five solutions are kept for `start`.
    Not for a system that has no successors: call the solver.

    References
    ----------
    M. Khodak, E. Chow, M.-F. Balcan, A. Talwalkar: Learning to relax, ICLR 2024, arXiv:2310.02246.

    Examples
    --------
    >>> from numopt.estimators import SequenceSolver
    >>> from numopt.gallery import Heat
    >>> heat, solver = Heat(64, period=16), SequenceSolver()
    >>> u = heat.u0
    >>> for k in range(16):
    ...     diffusion, A, b = heat.system(k, u)
    ...     u = solver.partial_fit(A, b).x_
    >>> solver.result_.success
    True
    """

    def __init__(self, solver="ssor_pcg", *, policy="auto", omega_range=(1.0, 1.998), start="previous", rtol=1e-8,
                 max_iter=10_000, cost="work", context=None, random_state=None):  # fmt: skip
        self.solver = solver
        self.policy = policy
        self.omega_range = omega_range
        self.start = start
        self.rtol = rtol
        self.max_iter = max_iter
        self.cost = cost
        self.context = context
        self.random_state = random_state

    def fit(self, X=None, y=None):
        """Forget all systems.

        Parameters
        ----------
        X : None
            Ignored.
        y : None
            Ignored.

        Returns
        -------
        SequenceSolver
            The estimator itself.
        """
        function = {"sor": sor, "ssor_pcg": ssor_pcg}[one_of("solver", self.solver, ("ssor_pcg", "sor"))]
        one_of("start", self.start, tuple(_KEPT))
        integer("max_iter", self.max_iter, low=1, remedy="allow at least one iteration")
        if not isinstance(self.omega_range, (tuple, list)) or len(self.omega_range) != 2:
            raise InvalidTypeError(f"omega_range is {self.omega_range!r}: a pair (low, high) is expected; pass one")
        ends = enumerate(self.omega_range)
        low, high = (scalar(f"omega_range[{i}]", end, above=0.0, high=2 - 1e-9) for i, end in ends)
        if not low < high:
            raise InvalidInputError(f"omega_range is ({low}, {high}): low < high is expected; swap them")
        rng, space = default_rng(self.random_state, "random_state"), {"omega": (low, high, "sor")}
        self.tuner_ = Tuner(function, space, policy=self.policy, cost=self.cost, context=self.context, rng=rng)
        self.costs_, self._function, self._past = [], function, []
        for name in "x_", "result_", "omega_", "n_iter_":
            vars(self).pop(name, None)
        return self

    def partial_fit(self, A, b, context=None):
        """Solve a system and learn from what it cost.

        Parameters
        ----------
        A : sparse array of shape (n, n)
            The matrix.
        b : ndarray of shape (n,)
            The right-hand side.
        context : float or array_like, optional
            What was announced.

        Returns
        -------
        SequenceSolver
            The estimator itself: the solution is ``x_``.

        Raises
        ------
        InvalidInputError, InvalidTypeError
            As for the solver, which names the argument.

        Warns
        -----
        ConvergenceWarning
            `rtol` was not reached: ``result_`` says why.
        """
        if not hasattr(self, "tuner_"):
            self.fit()
        A, b = as_array("A", A), as_array("b", b)
        kept = _KEPT[one_of("start", self.start, tuple(_KEPT))]
        result, cost, _ = self.tuner_._solve((A, b), context, self._keywords(A, b))
        self.result_, self.x_, self.omega_, self.n_iter_ = result, result.x, result.omega, result.nit
        self.costs_.append(cost)
        self._past = [*self._past, result.x][-kept:] if kept else []
        return self

    def predict(self, A, b, context=None):
        """Solve a system with the parameters that seem best, and learn nothing.

        Parameters
        ----------
        A : sparse array of shape (n, n)
            The matrix.
        b : ndarray of shape (n,)
            The right-hand side.
        context : float or array_like, optional
            What was announced.

        Returns
        -------
        ndarray of shape (n,)
            The solution.

        Raises
        ------
        NotFittedError
            Neither `fit` nor `partial_fit` was called.
        InvalidInputError, InvalidTypeError
            As for the solver.

        Warns
        -----
        ConvergenceWarning
            `rtol` was not reached.
        """
        check_is_fitted(self, "tuner_")
        A, b = as_array("A", A), as_array("b", b)
        best = self.tuner_.best(context, A=A)
        return self._function(A, b, **self._keywords(A, b) | best).x

    def score(self, X=None, y=None):
        """Return minus the mean cost of the systems since `fit`.

        Parameters
        ----------
        X : None
            Ignored.
        y : None
            Ignored.

        Returns
        -------
        float
            At most 0; higher is better.
        """
        check_is_fitted(self, "x_")
        return -float(np.mean(self.costs_))

    def _keywords(self, A, b):
        return {"x0": self._begin(A, b), "rtol": self.rtol, "max_iter": self.max_iter}

    def _begin(self, A, b):
        """Return the start, None for 0."""
        past = [x for x in self._past if x.shape == b.shape]
        if not past or A.shape != 2 * b.shape[:1]:
            return None  # where A does not fit, the solver says so
        if self.start == "extrapolate":
            return 2 * past[-1] - past[-2] if len(past) > 1 else past[-1]
        if self.start == "project":
            V, W = (np.stack([x.ravel() for x in xs], axis=1) for xs in (past, [A @ x for x in past]))
            if np.isfinite(G := V.T @ W).all():
                return (V @ np.linalg.lstsq(G, V.T @ b.ravel(), rcond=None)[0]).reshape(b.shape)
        return past[-1]
