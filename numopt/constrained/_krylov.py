"""Steps by products alone: MINRES on the KKT matrix, preconditioned by the caller, restarted on the true residual.

C. C. Paige, M. A. Saunders, SIAM J. Numer. Anal. 12 (1975).
"""

import math

from numopt import _array
from numopt.constrained._operator import as_operator

_RESTARTS, _LONGEST = 6, 2000
_FAST, _SHARP = 12, 1e-8  # steps within which the tolerance is so much tighter


class Products:
    """[[H + diag(sigma), J^T], [J, -diag(d)]] by products; its inertia is unknown and taken to be right."""

    name = "minres"

    def __init__(self, xp, preconditioner=None):
        self.xp, self.n_factor, self.residual, self.n_products = xp, 0, None, 0
        self.given, self.apply = preconditioner, None

    def at(self, look):
        """Choose the preconditioner: a constant operator, or what a function of (x, lam) = ``look()`` returns."""
        M = self.given if self.given is None or hasattr(self.given, "matvec") else self.given(*look())
        self.apply = None if M is None else M.matvec

    def factor(self, H, J, sigma, d):
        """Note the parts."""
        self.H, self.J, self.sigma, self.d = as_operator(H), as_operator(J), sigma, d
        self.n, self.negative, self.zero = H.shape[0], J.shape[0], 0

    def product(self, x):
        """Return the KKT matrix times x."""
        self.n_products += 1
        p, q = x[: self.n], x[self.n :]
        top = self.H.matvec(p) + self.J.rmatvec(q)
        if not (isinstance(self.sigma, float) and self.sigma == 0.0):
            top = top + self.sigma * p
        low = self.J.matvec(p)
        if not (isinstance(self.d, float) and self.d == 0.0):
            low = low - self.d * q
        return self.xp.concat([top, low])

    def solve(self, rx, rc):
        """Return (dx, dlam), to min(1e-3, |r|^(1/2)) of |r|; `residual` is what is left of the system."""
        b = self.xp.concat([rx, rc])
        norm = math.sqrt(_array.host(b @ b))
        target = max(1e-13, min(1e-3, math.sqrt(norm))) * norm
        x, r, off = 0.0 * b, b, norm
        for _ in range(_RESTARTS):
            if not off > target:
                break
            x = x + self._minres(r, 0.5 * target / off)
            r = b - self.product(x)
            before, off = off, math.sqrt(_array.host(r @ r))
            if not off < 0.9 * before:
                break
        self.residual = (-r[: self.n], -r[self.n :])
        return x[: self.n], x[self.n :]

    def _minres(self, b, tol):
        """Return an approximate solution of the system with right-hand side b, by the preconditioned residual."""
        apply = self.apply or (lambda r: r)
        r1 = r2 = b
        y = apply(b)
        beta = beta1 = math.sqrt(max(_array.host(b @ y), 0.0))
        x = w = w_old = 0.0 * b
        old_beta = dbar = epsilon = sn = 0.0
        phibar, cs = beta1, -1.0
        for step in range(_LONGEST):
            v = y / beta
            y = self.product(v)
            if step:
                y = y - (beta / old_beta) * r1
            alpha = _array.host(v @ y)
            y = y - (alpha / beta) * r2
            r1, r2 = r2, y
            y = apply(r2)
            old_beta, square = beta, _array.host(r2 @ y)
            beta = math.sqrt(max(square, 0.0))
            old_epsilon = epsilon
            delta, gbar = cs * dbar + sn * alpha, sn * dbar - cs * alpha
            epsilon, dbar = sn * beta, -cs * beta
            gamma = max(math.hypot(gbar, beta), 1e-300)
            cs, sn = gbar / gamma, beta / gamma
            phi, phibar = cs * phibar, sn * phibar
            w_old, w = w, (v - old_epsilon * w_old - delta * w) / gamma
            x = x + phi * w
            # what converges fast is worth more digits: they save a step
            enough = _SHARP * tol if step < _FAST else tol
            if not phibar > enough * beta1 or beta <= 1e-14 * beta1:
                break
        return x
