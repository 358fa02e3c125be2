"""AdaSketch-Newton as published: exact augmented Lagrangian, adaptive accuracy, sketched inner solves.

I. Hong, S. Na, M. W. Mahoney, M. Kolar, ICML 2023, arXiv:2305.18379. Step numbers are those of the docs page.
"""

import math

from numopt import _array
from numopt._loop import Iterate
from numopt._status import Status
from numopt.constrained._exact import merit
from numopt.constrained._point import State
from numopt.constrained._regular import finite
from numopt.constrained._sketch import Sketcher
from numopt.exceptions import ConvergenceWarning, InvalidInputError, warn

BETA, NU, XI_B = 0.1, 1.5, 0.1
ETA1, ETA2, DELTA = 1.0, 0.1, 0.1
CAP = 100_000
_SHORTEST = 1e-10


def adasketch(p, kkt, kind, rng, lam, superlinear=None, cap=CAP):
    """Yield iterates; return why no further one can be found."""
    xp, point = p.xp, p.derive(p.start)
    eta1, eta2, delta, first = ETA1, ETA2, DELTA, None
    n_sketch = capped = 0
    rounding = 10 * p.space.eps  # no residual gets smaller, least of all in float32
    eye = xp.eye(p.n, dtype=p.space.dtype, device=p.space.device)
    while True:
        gL, G, c = p.lagrangian_gradient(point, lam), _dense(point.J), point.c
        H = _dense(p.hessian(point, lam))
        gg, cc, h2, g2 = _array.host(gL @ gL, c @ c, xp.sum(H * H), xp.sum(G * G))
        K = math.sqrt(finite(gg + cc, "the gradient of the Lagrangian, or a constraint,"))
        finite(h2 + g2, "a derivative")
        first = K if first is None else first
        theta = 1.0 if superlinear is None else min(1.0, K**superlinear / max(1.0, first**superlinear))

        # step 2: the modified Hessian, and whether the rows of G are independent
        xi_G, curvature = _smallest(p, G, H)
        if xi_G < 1e-2:
            return Status.BREAKDOWN, f"the smallest eigenvalue of J J^T is {xi_G:.2g}: the published method needs 0.01"
        tau = XI_B + math.sqrt(h2) if curvature < 1e-6 else 0.0
        B = H + tau * eye
        A = p.k.kkt_matrix(B, G, 0.0, 0.0)
        b2, a2 = _array.host(xp.sum(B * B), xp.sum(A * A))

        # step 3: how accurate the direction has to be
        psi = 20 * max(b2, 1.0) / (min(xi_G, 1.0) * min(XI_B, 1.0))
        ups2 = max(g2, h2, 1.0)

        def accuracy(delta, eta1, eta2, ups2=ups2, psi=psi):
            trial = (0.5 - BETA) * eta2 / ((1 + eta1 + eta2) * ups2 * psi**2)
            return max(min(delta, trial), 1e-6)

        delta = accuracy(delta, eta1, eta2)
        slopes = _merit_slopes(p, gL, H, G, c)
        sketcher = Sketcher(A, -xp.concat([gL, c]), kind, rng)
        while True:  # steps 4 to 6
            target = max(theta * delta * K / (math.sqrt(a2) * psi), rounding * K)
            off = finite(sketcher.until(target, cap), "the residual of an inner solve")
            dx, dlam = sketcher.d[: p.n], sketcher.d[p.n :]
            slope = slopes(dx, dlam, eta1, eta2)
            if slope <= -0.5 * eta2 * K * K or not (eta1 <= 1e8 and eta2 >= 1e-8):
                break
            if off > target:
                break
            eta1, eta2 = NU * NU * eta1, eta2 / NU
            delta = accuracy(delta / NU**4, eta1, eta2)
        n_sketch += sketcher.n_sketch
        if off > target:
            if not capped:
                warn(
                    f"an inner solve spent its {cap} sketches: its direction is taken if it descends, else that of a "
                    f"direct solve; the result counts them in inner_capped",
                    ConvergenceWarning,
                )
            capped += 1
            if slope > -0.5 * eta2 * K * K:
                kkt.factor(B, G, 0.0, 0.0)
                dx, dlam = kkt.solve(-gL, -c)
                slope = slopes(dx, dlam, eta1, eta2)
                while slope > -0.5 * eta2 * K * K and eta1 <= 1e8 and eta2 >= 1e-8:
                    eta1, eta2 = NU * NU * eta1, eta2 / NU
                    slope = slopes(dx, dlam, eta1, eta2)
        finite(slope, "the slope of the merit function")

        here, alpha = merit(p, p.measure(State(point, lam)), eta1, eta2), 1.0  # step 7
        slack = 10 * p.space.eps * max(1.0, abs(here))
        while True:
            state = p.trial(point.x + dx * alpha, lam + dlam * alpha)
            if merit(p, state, eta1, eta2) <= here + alpha * BETA * slope + slack:
                break
            alpha /= 2
            if alpha < _SHORTEST:
                return Status.BREAKDOWN, "no step along the direction decreases the merit function"
        point, lam = state, state.lam
        counts = {"kind": kind, "n_sketch": n_sketch, "inner_capped": capped, "inner_residual": off}
        merits = {"alpha": alpha, "tau": tau, "eta1": eta1, "eta2": eta2}
        yield Iterate(state, state.error, {"fun": state.f / p.sf, **merits, **counts})


def _dense(A):
    if hasattr(A, "matvec"):
        raise InvalidInputError("method is 'adasketch': it needs matrices, not products; choose 'auto'")
    return A.toarray() if _array.is_sparse(A) else A


def _smallest(p, G, H):
    """Return the smallest eigenvalues of G G^T and of H on the null space of G (inf where there is none)."""
    xp = p.xp
    xi_G = _array.host(xp.linalg.eigvalsh(G @ G.T)[0]) if p.m else 1.0
    if p.m >= p.n:
        return xi_G, math.inf
    Z = _null_space(p, G)
    return xi_G, _array.host(xp.linalg.eigvalsh(Z.T @ H @ Z)[0])


def _null_space(p, G):
    """Return an orthonormal basis of the null space of G."""
    xp = p.xp
    if p.m == 0:
        return xp.eye(p.n, dtype=p.space.dtype, device=p.space.device)
    Q, _ = xp.linalg.qr(G.T, mode="complete")
    return Q[:, p.m :]


def _merit_slopes(p, gL, H, G, c):
    """Return the function slope(dx, dlam, eta1, eta2) of the merit function; H is the full Hessian, unmodified."""
    HgL, GtC, GgL = H @ gL, G.T @ c, G @ gL

    def slope(dx, dlam, eta1, eta2):
        base, by2, by1 = _array.host(gL @ dx + c @ dlam, HgL @ dx + GgL @ dlam, GtC @ dx)
        return base + eta2 * by2 + eta1 * by1

    return slope
