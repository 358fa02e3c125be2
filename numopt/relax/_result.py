"""What the relaxation solvers and the tuner return."""

from dataclasses import dataclass

import numpy as np

from numopt._result import Result, result_class
from numopt.relax._theory import mu_from


@result_class
class RelaxResult(Result):
    """The result of `sor` and `ssor_pcg`; scalars are on the host, `x` where the input was.

    Attributes
    ----------
    x : array of shape (n,), (n, 1) or (n, k)
        The solution, in the shape of `b` and the dtype of the input.
    residual_norm : float
        ``||b - A x||``, recomputed from the data; the largest of several right-hand sides.
    omega : float
        Relaxation parameter of the last iteration.
    nit_paper : int
        Iterations whose residual was looked at when the run ended. `sor` learns a residual one sweep late and
        has by then done a sweep more: ``nit - 1``. Otherwise ``nit``.
    restarts : int
        How often the parameter was changed on the way, or conjugate gradients were started afresh.
    work : float
        Bytes that the set-up and the iterations moved, by formula: a cost that repeats exactly.
    beta_estimate : float
        `sor`: spectral radius of Jacobi's iteration as the tail of the run suggests; None if it does not say.
    mu_estimate : float
        `ssor_pcg`: lower bound of the largest eigenvalue of ``D A^{-1}``, the best that the run offers; None for
        `sor`.
    ritz_min, ritz_max : float
        `ssor_pcg`: extreme Ritz values of ``M^{-1} A``, estimates from inside its spectrum; None for `sor`.
    """

    x: object
    residual_norm: float
    omega: float
    nit_paper: int
    restarts: int
    work: float
    _rayleigh: float | None = None
    _tried: float | None = None  # a lower bound of mu from a trial run
    _coefficients: object = None  # (alpha, beta) of each step since the last restart
    _rates: object = None  # how the residual fell
    _excess: float = 0.0  # nu / mu in Axelsson's bound

    @property
    def beta_estimate(self):
        """Spectral radius of Jacobi's iteration, None if the run does not say."""
        return self._rates and self._rates.beta()

    @property
    def mu_estimate(self):
        """Lower bound of the largest eigenvalue of ``D A^{-1}``."""
        bounds = [v for v in (self._rayleigh, self._tried) if v]
        if self.omega <= 1.5 and self.ritz_min:  # beyond, Ritz values say nothing of mu
            bounds.append(mu_from(self.ritz_min, self.omega, self._excess))
        return max(bounds, default=None)

    @property
    def rayleigh(self):
        """Largest Rayleigh quotient of ``D A^{-1}`` at the solution and at its change, a lower bound of mu."""
        return self._rayleigh

    @property
    def ritz_min(self):
        """Smallest Ritz value of ``M^{-1} A``."""
        return self._ritz()[0]

    @property
    def ritz_max(self):
        """Largest Ritz value of ``M^{-1} A``."""
        return self._ritz()[1]

    def _ritz(self):
        """Return the extreme eigenvalues of the tridiagonal matrix that conjugate gradients built."""
        return ritz(self._coefficients)


@dataclass(frozen=True)
class SequenceResult:
    """What `Tuner.run` returns.

    Attributes
    ----------
    costs : ndarray of shape (T,)
        Cost of each problem.
    params : list of dict
        The parameters first tried.
    contexts : list
        As they were given.
    results : list
        What the solver returned.
    total : float
        Sum of the costs.
    regret_bound : float or None
        ``2 K sqrt(2 d T)`` for ``"tsallis-inf"`` with d arms, K the largest cost: what `total` exceeds that of the
        best arm by at most, in expectation, with the fixed step of the paper's theorem; the growing one that is played
        has no such proof. None for other policies.
    """

    costs: np.ndarray
    params: list
    contexts: list
    results: list
    total: float
    regret_bound: float | None


def ritz(coefficients):
    """Return the extreme Ritz values of steps with these (alpha, beta)."""
    good = 0 if coefficients is None else _usable(*coefficients.T)
    if good == 0:
        return None, None
    alpha, beta = coefficients[:good].T
    diagonal = 1 / alpha
    diagonal[1:] += beta[:-1] / alpha[:-1]
    beside = np.sqrt(np.maximum(beta[:-1], 0)) / alpha[:-1]
    T = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    values = np.linalg.eigvalsh(T)
    return float(values[0]), float(values[-1])


def _usable(alpha, beta):
    """Return how many steps went well: a breakdown leaves numbers that are none, or of impossible size."""
    bad = ~((alpha > 1e-100) & (alpha < 1e100) & (beta >= 0) & (beta < 1e100))
    return int(np.argmax(bad)) if bad.any() else alpha.size
