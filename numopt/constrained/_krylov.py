"""Steps by products alone: MINRES on the KKT matrix, preconditioned by the caller, restarted on the true residual.

C. C. Paige, M. A. Saunders, SIAM J. Numer. Anal. 12 (1975).
"""

import math

from numopt import _array
from numopt.constrained._operator import as_operator
from numopt.exceptions import InvalidTypeError

_RESTARTS, _LONGEST = 6, 2000
_FAST, _SHARP = 12, 1e-8  # steps within which the tolerance is so much tighter
_SOLVED = 0.9  # of a right-hand side: more than that left is no step


class Products:
    """[[H + diag(sigma), J^T], [J, -diag(d)]] by products; its inertia is taken to be right until a step disproves it.

    A step does where curvature along it is not positive, or where it solves nothing, as in a singular system. N.-Y.
    Chiang, V. M. Zavala, Comput. Optim. Appl. 64 (2016).
    """

    name = "minres"

    def __init__(self, xp, preconditioner=None):
        self.xp, self.n_factor, self.residual, self.n_products = xp, 0, None, 0
        self.given, self.apply = preconditioner, None

    def at(self, look):
        """Choose the preconditioner: a constant operator, or what a function of (x, lam) = ``look()`` returns.

        None without `look`: the first multipliers are asked for, by another matrix, before there is a pair to show.
        """
        M = self.given
        if callable(M) and not hasattr(M, "matvec"):
            M = look and M(*look())
            if not (M is None or hasattr(M, "matvec")):
                raise InvalidTypeError(
                    f"options['preconditioner'] returned {type(M).__name__}: an operator with matvec is expected; wrap "
                    f"a matrix by scipy.sparse.linalg.aslinearoperator"
                )
        self.apply = None if M is None else M.matvec

    def factor(self, H, J, sigma, d):
        """Note the parts."""
        self.H, self.J, self.sigma, self.d = as_operator(H), as_operator(J), sigma, d
        self.n, self.negative, self.zero = H.shape[0], J.shape[0], 0

    def product(self, x):
        """Return the KKT matrix times x."""
        self.n_products += 1
        n, out = self.n, self.xp.empty_like(x)
        out[:n] = self.H.matvec(x[:n])
        out[:n] += self.J.rmatvec(x[n:])
        out[n:] = self.J.matvec(x[:n])
        if not (isinstance(self.sigma, float) and self.sigma == 0.0):
            out[:n] += self.sigma * x[:n]
        if not (isinstance(self.d, float) and self.d == 0.0):
            out[n:] -= self.d * x[n:]
        return out

    def solve(self, rx, rc):
        """Return (dx, dlam), to min(1e-3, |r|^(1/2)) of |r|; `residual` is what is left of the system."""
        norm = off = math.sqrt(sum(_array.host(rx @ rx, rc @ rc)))
        target, x = max(1e-13, min(1e-3, math.sqrt(norm))) * norm, None
        self.residual = -rx, -rc
        for _ in range(_RESTARTS):
            step = self._minres(0.5 * target / max(off, 1e-300))
            x = step if x is None else x + step
            left = self.product(x)
            left[: self.n] -= rx
            left[self.n :] -= rc
            self.residual = left[: self.n], left[self.n :]
            before, off = off, math.sqrt(_array.host(left @ left))
            if not target < off < 0.9 * before:
                break
        if not (off <= max(target, _SOLVED * norm) and self._curvature(x, rx, rc) >= 0):
            self.negative += 1
        return x[: self.n], x[self.n :]

    def _curvature(self, x, rx, rc):
        """Return dx.(H + diag(sigma) + J^T diag(d)^-1 J) dx from what the system says of its parts."""
        dx, dlam, (left_x, left_c) = x[: self.n], x[self.n :], self.residual
        moved = left_c + rc + self.d * dlam  # J dx
        d = self.d + 0.0 * moved
        return _array.host(dx @ (left_x + rx) - dlam @ moved + (moved / self.xp.where(d > 0, d, math.inf)) @ moved)

    def _minres(self, tol):
        """Return an approximate solution of the system for `residual`, which goes, by the preconditioned residual.

        Vectors are overwritten where that saves memory, never those of the preconditioner, which may be the caller's.
        """
        apply = self.apply or (lambda r: r)
        r1 = r2 = -self.xp.concat(self.residual)
        self.residual, x, w, w_old = None, 0.0 * r1, 0.0 * r1, 0.0 * r1
        y = apply(r1)
        beta = beta1 = math.sqrt(max(_array.host(r1 @ y), 0.0))
        old_beta = dbar = epsilon = sn = 0.0
        phibar, cs = beta1, -1.0
        for step in range(_LONGEST):
            if not beta > 0:
                break
            v, y = y * (1.0 / beta), None  # the memory of y is free while products take theirs
            y = self.product(v)
            if step:
                y -= (beta / old_beta) * r1
            alpha = _array.host(v @ y)
            y -= (alpha / beta) * r2
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
            # w, w_old <- (v - old_epsilon w_old - delta w) / gamma, w
            w, w_old = w_old, w
            w *= -old_epsilon
            w -= delta * w_old
            w += v
            w *= 1.0 / gamma
            x += phi * w
            # what converges fast is worth more digits: they save a step
            enough = _SHARP * tol if step < _FAST else tol
            if not phibar > enough * beta1 or beta <= 1e-14 * beta1:
                break
        return x
